"""Every `primacy` command of docs/experience.md runs, in the page's order."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primacy.runs.cli import main

minari = pytest.importorskip("minari")

PAGE = (Path(__file__).parents[2] / "docs" / "experience.md").read_text()
SMALLER = shlex.split(
    "--hidden-sizes 16 16 --batch-size 16 --eval-every 500 --eval-episodes 1 --diagnose-every 500 "
    "--compile never --quiet"
)


def test_every_command_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    data = tmp_path / ".minari" / "datasets" / "NAME-v0" / "data"
    data.mkdir(parents=True)
    spaces = [
        minari.dataset.minari_storage.gym.spaces.Box(-1, 1, (size,), np.float32) for size in (24, 6)
    ]
    storage = MinariStorage.new(data, *spaces)
    parts: dict[str, Any] = {
        "observations": np.zeros((4, 24)),
        "actions": np.zeros((3, 6)),
        "rewards": np.zeros(3),
    }
    flags: dict[str, Any] = {name: np.zeros(3, bool) for name in ("terminations", "truncations")}
    storage.update_episodes([EpisodeBuffer(**parts, **flags)])
    storage.update_metadata({"dataset_id": "NAME-v0", "minari_version": minari.__version__})

    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    commands = [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]
    names = {"train", "export", "import-experience", "transplant", "exposure", "report"}
    assert {command[0] for command in commands} == names
    for command in commands:
        words = [word.replace("~", str(tmp_path)) for word in command]
        small = SMALLER if command[0] in ("train", "transplant") else []
        assert main([*words, *small]) == 0, (command, capsys.readouterr().err)
    assert Path("runs/copy/journal/000000.rows").read_bytes() == (
        Path("runs/cartpole/journal/000000.rows").read_bytes()
    )
    page = Path("report/index.html").read_text()
    assert "cartpole-swingup: exposure" in page
    assert Path("report/figures/exposure-cartpole-swingup.svg").exists()
