"""D4RL's ant and mazes as a MuJoCo model, with the physics of MuJoCo 2.1.0 on a current one.

The numbers are those of d4rl/locomotion/assets/ant.xml and maze_env.py. What changed in MuJoCo
since is undone here, so that one control step agrees to rounding (docs/antmaze.md).
"""

# MuJoCo's names come from compiled modules without types.
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np

from primacy.envs.antmaze_tasks import CELL, Maze
from primacy.envs.faults import Unsupported

TORQUE = 30.0
"""Largest torque of a motor, in N m; gears are 1."""
SUBSTEPS = 5
"""Simulator steps of 0.02 s in a control step."""

# Corrected and compared with 2.1.0 from 3.5.0 on; 4.0.0 integrates free joints otherwise.
_FIRST, _BEYOND = (3, 5), (4, 0)

# Leg number -> where its parts point in the plane, the axis of its ankle, the range of that in
# degrees.
_LEGS = {
    1: ((1, 1), (-1, 1), (30, 70)),
    2: ((-1, 1), (1, 1), (-70, -30)),
    3: ((-1, -1), (-1, 1), (-70, -30)),
    4: ((1, -1), (1, 1), (30, 70)),
}
_MOTORS = (4, 1, 2, 3)
"""Legs in the order of the actions: hip, then ankle."""

_HEAD = """<mujoco model="antmaze">
  <compiler inertiafromgeom="true" angle="degree"/>
  <option timestep="0.02" integrator="RK4"/>
  <visual><headlight ambient="0.4 0.4 0.4" diffuse="0.3 0.3 0.3" specular="0 0 0"/></visual>
  <default>
    <joint limited="true" armature="1" damping="1"/>
    <geom condim="3" conaffinity="0" margin="0.01" friction="1 0.5 0.5" density="5"
          solref=".02 1" solimp=".8 .8 .01" rgba="0.75 0.55 0.35 1"/>
  </default>
  <worldbody>
    <light directional="true" pos="0 0 20" dir="0.2 0.3 -1" diffuse="0.4 0.4 0.4"/>"""


def require_mujoco() -> None:
    """Raises Unsupported for a MuJoCo on which the corrections are not known to suffice."""
    version = tuple(int(part) for part in mujoco.__version__.split(".")[:2])
    if not _FIRST <= version < _BEYOND:
        raise Unsupported(
            f"AntMaze needs MuJoCo >= 3.5 and < 4 for D4RL's physics, not {mujoco.__version__}",
            "pip install 'mujoco>=3.17,<4'",
        )


def mjcf(maze: Maze) -> str:
    """The model of a maze with its ant, as MuJoCo's XML."""
    half, (x, y) = CELL / 2.0, maze.centre
    height = 1.3 * max(maze.size)
    walls = [
        f'    <geom type="box" pos="{wall_x} {wall_y} {half / 2}" size="{half} {half} {half / 2}" '
        'contype="1" conaffinity="1" rgba="0.55 0.45 0.4 1"/>'
        for wall_x, wall_y in maze.walls
    ]
    motors = [
        f'    <motor joint="{joint}_{leg}" ctrllimited="true" ctrlrange="{-TORQUE} {TORQUE}"/>'
        for leg in _MOTORS
        for joint in ("hip", "ankle")
    ]
    lines = [
        _HEAD,
        f'    <camera name="overview" pos="{x} {y} {height}" fovy="45"/>',
        '    <geom type="plane" size="60 60 40" conaffinity="1" rgba="0.85 0.9 0.85 1"/>',
        # Away from the origin, where MuJoCo would take its frame for the world's and not move it.
        '    <site name="goal" type="cylinder" size=".5 .02" pos="1 1 .03" rgba="0.9 0.1 0 1"/>',
        '    <body name="torso" pos="0 0 0.75">',
        '      <camera name="follow" mode="trackcom" pos="0 -3 6" xyaxes="1 0 0 0 0.9 0.45"/>',
        '      <joint name="root" type="free" limited="false" armature="0" damping="0"/>',
        '      <geom type="sphere" size="0.25" rgba="0.3 0.5 0.8 1"/>',
        *(_leg(number) for number in _LEGS),
        "    </body>",
        *walls,
        "  </worldbody>",
        "  <actuator>",
        *motors,
        "  </actuator>",
        "</mujoco>",
    ]
    return "\n".join(lines)


def _leg(number: int) -> str:
    """A leg of three capsules; the first has no joint of its own."""
    (x, y), axis, (low, high) = _LEGS[number]
    near, far = f"{0.2 * x} {0.2 * y} 0", f"{0.4 * x} {0.4 * y} 0"
    return f"""      <body>
        <geom type="capsule" size="0.08" fromto="0 0 0 {near}"/>
        <body pos="{near}">
          <joint name="hip_{number}" type="hinge" axis="0 0 1" range="-30 30"/>
          <geom type="capsule" size="0.08" fromto="0 0 0 {near}"/>
          <body pos="{near}">
            <joint name="ankle_{number}" type="hinge" axis="{axis[0]} {axis[1]} 0"
                   range="{low} {high}"/>
            <geom type="capsule" size="0.08" fromto="0 0 0 {far}"/>
          </body>
        </body>
      </body>"""


def as_in_mujoco_210(model: mujoco.MjModel, density: float = 5.0) -> None:
    """Undo, in place, what MuJoCo has changed since 2.1.0 and what this ant feels of it.

    Contact margins of two geoms are summed since 3.5.0, where the larger one counted: halved here,
    for all are equal. And capsules had the mass and inertia of a cylinder that is longer by half a
    radius at each end until 2.1.1. `density` in kg/m^3; each capsule must be a body's only geom.
    """
    model.geom_margin[:] = 0.5 * model.geom_margin
    for geom in np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_CAPSULE):
        body = model.geom_bodyid[geom]
        radius, half_length, _ = model.geom_size[geom]
        length = 2.0 * half_length + radius
        mass = density * np.pi * radius**2 * length
        across = mass * (3.0 * radius**2 + length**2) / 12.0
        model.body_mass[body] = mass
        model.body_inertia[body] = across, across, 0.5 * mass * radius**2
    mujoco.mj_setConst(model, mujoco.MjData(model))


def forward_as_in_mujoco_210(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """mj_forward as 2.1.0 did it: it normalised the torso's quaternion where it lies, in qpos, and
    left the accelerations as the start of the next solution."""
    mujoco.mju_normalize4(data.qpos[3:7])
    mujoco.mj_forward(model, data)
    data.qacc_warmstart[:] = data.qacc
