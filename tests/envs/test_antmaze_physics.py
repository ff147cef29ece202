"""Our AntMaze against states that MuJoCo 2.1.0 itself reached under the real d4rl.

benchmarks/antmaze_reference.py made them. Chaos ends any agreement of whole episodes, so every
control step starts from a reference state and the solver's guess there.
"""

# MuJoCo's names come from compiled modules without types.
# pyright: reportAttributeAccessIssue=false

from pathlib import Path

import mujoco
import numpy as np
import pytest

from primacy.envs import antmaze_model
from primacy.envs.antmaze import Physics
from primacy.envs.antmaze_model import as_in_mujoco_210, mjcf, require_mujoco
from primacy.envs.antmaze_tasks import TASKS
from primacy.envs.faults import Unsupported

REFERENCE = np.load(Path(__file__).parents[1] / "data" / "antmaze_mujoco210.npz")
TASK = {"umaze": "antmaze-umaze-v2", "medium": "antmaze-medium-play-v2"}
TASK |= {"large": "antmaze-large-play-v2"}


def states(maze: str) -> dict[str, np.ndarray]:
    names = [name for name in REFERENCE.files if name.startswith(f"{maze}/")]
    return {name.partition("/")[2]: REFERENCE[name] for name in names}


def errors(physics: Physics, maze: str) -> dict[str, np.ndarray]:
    """Largest error of each control step, in qpos and qvel, and whether a wall was touched."""
    known = states(maze)
    data, model = physics.data, physics.model
    found = {"qpos": [], "qvel": [], "wall": []}
    for window, actions in enumerate(known["action"]):
        for step, action in enumerate(actions):
            mujoco.mj_resetData(model, data)
            data.qpos[:], data.qvel[:] = known["qpos"][window, step], known["qvel"][window, step]
            data.qacc_warmstart[:] = known["warmstart"][window, step]
            observation, _, _ = physics.step(action)
            for name, got in (("qpos", observation[:15]), ("qvel", observation[15:])):
                found[name].append(abs(got - known[name][window, step + 1]).max())
            box = mujoco.mjtGeom.mjGEOM_BOX
            kinds = model.geom_type[np.array([contact.geom for contact in data.contact], dtype=int)]
            found["wall"].append(bool((kinds == box).any()))
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("maze", TASK)
def test_a_control_step_is_that_of_mujoco_210(maze: str):
    found = errors(Physics(TASKS[TASK[maze]].maze), maze)
    assert len(found["qpos"]) == 198
    assert np.median(found["qpos"]) < 1e-14
    assert found["qpos"].max() < 1e-6
    assert np.median(found["qvel"]) < 1e-13
    assert found["qvel"].max() < 1e-4
    assert found["wall"].sum() >= 3
    assert found["qpos"][found["wall"]].max() < 1e-6


@pytest.mark.parametrize("missing", ["margin", "inertia"])
def test_neither_correction_can_be_left_out(missing: str):
    physics = Physics(TASKS["antmaze-umaze-v2"].maze)
    plain = mujoco.MjModel.from_xml_string(mjcf(TASKS["antmaze-umaze-v2"].maze))
    if missing == "margin":
        physics.model.geom_margin[:] = plain.geom_margin
    else:
        physics.model.body_mass[:] = plain.body_mass
        physics.model.body_inertia[:] = plain.body_inertia
        mujoco.mj_setConst(physics.model, mujoco.MjData(physics.model))
    assert np.median(errors(physics, "umaze")["qpos"]) > 1e-5


@pytest.mark.parametrize("maze", TASK)
def test_an_initial_state_is_held_as_mujoco_210_holds_it(maze: str):
    known = states(maze)
    physics = Physics(TASKS[TASK[maze]].maze)
    for start, (qpos, qvel) in enumerate(zip(known["raw_qpos"], known["raw_qvel"], strict=True)):
        assert abs(np.linalg.norm(qpos[3:7]) - 1.0) > 0.01
        observation = physics.place(qpos, qvel, np.zeros(2))
        np.testing.assert_allclose(observation[:15], known["set_qpos"][start], atol=1e-15)
        np.testing.assert_allclose(observation[15:], known["set_qvel"][start], atol=1e-15)
        guess = known["set_warmstart"][start]
        np.testing.assert_allclose(physics.data.qacc_warmstart, guess, atol=1e-11)


def test_legs_do_not_enter_walls_as_deep_as_the_two_solvers_agree():
    """Beyond its radius, 8 cm, MuJoCo 2.1.0 counts a leg's depth otherwise (docs/antmaze.md)."""
    physics = Physics(TASKS["antmaze-large-play-v2"].maze)
    model, data, rng = physics.model, physics.data, np.random.default_rng(0)
    leg_and_wall = {int(mujoco.mjtGeom.mjGEOM_CAPSULE), int(mujoco.mjtGeom.mjGEOM_BOX)}
    depths: list[float] = []
    for _ in range(60):
        side = rng.choice([-1.0, 1.0])
        qpos = model.qpos0 + rng.uniform(-0.1, 0.1, 15)
        qpos[:2] = side * rng.uniform(0.6, 1.0), rng.uniform(-1, 1)
        qvel = 0.1 * rng.standard_normal(14)
        qvel[:2] = 3.0 * side, 0.0
        physics.place(qpos, qvel, np.array([99.0, 99.0]))
        for action in np.repeat(rng.uniform(-1.5, 1.5, (20, 8)), 5, axis=0):
            physics.step(action.clip(-1, 1))
            for contact in data.contact:
                if {int(model.geom_type[geom]) for geom in contact.geom} == leg_and_wall:
                    depths.append(-contact.dist)
    assert len(depths) > 100
    assert 0.01 < max(depths) < 0.08


def test_masses_and_inertias_are_the_old_ones():
    model = mujoco.MjModel.from_xml_string(mjcf(TASKS["antmaze-umaze-v2"].maze))
    as_in_mujoco_210(model)
    # From a model that MuJoCo 2.1.0 compiled: torso, hip and auxiliary bodies, lower legs.
    legs = [0.036477, 0.036477, 0.064911] * 4
    np.testing.assert_allclose(model.body_mass, [0.0, 0.327249, *legs], atol=1e-6)
    np.testing.assert_allclose(model.body_inertia[2], [4.5856e-4, 4.5856e-4, 1.1673e-4], atol=1e-8)
    np.testing.assert_allclose(
        model.body_inertia[4], [2.35904e-3, 2.35904e-3, 2.0772e-4], atol=1e-8
    )
    np.testing.assert_array_equal(model.geom_margin, 0.005)
    assert (model.nq, model.nv, model.nu) == (15, 14, 8)


@pytest.mark.parametrize("version", ["3.4.0", "4.0.0", "2.3.7"])
def test_another_mujoco_is_refused(version: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(antmaze_model.mujoco, "__version__", version)
    with pytest.raises(Unsupported, match=version) as caught:
        require_mujoco()
    assert "pip install" in caught.value.hint


def test_the_reference_is_that_of_mujoco_210():
    assert int(REFERENCE["mujoco_version"]) == 210
