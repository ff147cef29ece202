"""The 26 games of Atari-100k by name, and their files. Importing this loads no emulator.

Kaiser et al. 2020, "Model-Based Reinforcement Learning for Atari", chose the games.
"""

import os
from importlib.util import find_spec
from pathlib import Path

from primacy.envs.faults import RomFault, Unsupported

GAMES = (
    "alien amidar assault asterix bank_heist battle_zone boxing breakout chopper_command "
    "crazy_climber demon_attack freeway frostbite gopher hero jamesbond kangaroo krull "
    "kung_fu_master ms_pacman pong private_eye qbert road_runner seaquest up_n_down"
).split()
"""By the names of ale-py's game files."""

TASKS = {f"atari-{game}": game for game in GAMES}
"""Task -> game."""


def rom(game: str) -> Path:
    """The file of a game, in $ALE_ROMS_DIR where that is set, else the one that ale-py brings.

    Raises RomFault where it is missing or not that game: ale-py ends the process then. Raises
    Unsupported without ale-py.
    """
    if find_spec("ale_py") is None:
        raise Unsupported("Atari games need ale-py, which is missing", "pip install 'ale-py>=0.11'")
    from ale_py import ALEInterface, roms

    folder = os.environ.get("ALE_ROMS_DIR")
    path = Path(folder or Path(roms.__file__).parent, f"{game}.bin")
    hint = "unset ALE_ROMS_DIR to use those of ale-py" if folder else "reinstall ale-py"
    if not os.access(path, os.R_OK) or path.is_dir():
        raise RomFault(f"{path}: this game file is missing or cannot be read", hint)
    if ALEInterface.isSupportedROM(path) != game:
        raise RomFault(f"{path}: this game file is damaged, or is not {game} at all", hint)
    return path
