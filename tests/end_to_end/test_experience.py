"""Experience out to Minari datasets and back, and datasets that cannot come in."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Space

from primacy.replay.journal import Journal
from primacy.runs import cli
from primacy.runs.config import read
from primacy.runs.folder import read_json
from primacy.runs.transplant import available
from primacy.tests.support.small_runs import SMALL

minari = pytest.importorskip("minari")
h5py = pytest.importorskip("h5py")

CALM = ("--eval-every", "0", "--diagnose-every", "0")
TASK = "cartpole-swingup"


def run(*arguments: str | Path) -> None:
    assert cli.main(list(map(str, arguments))) == 0


def journal(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "journal").iterdir())]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of 300 env steps; an episode takes 125."""
    out = tmp_path_factory.mktemp("source") / "run"
    run("train", *SMALL, *CALM, "--out", out)
    return out


@pytest.fixture(scope="module")
def exported(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported")
    run("export", source, "--output", out)
    return out


@pytest.mark.parametrize("one", [False, True])
def test_a_round_trip_gives_the_same_bytes(source: Path, tmp_path: Path, one: bool):
    run("export", source, "--output", tmp_path / "data", *(["--one"] if one else []))
    run("import-experience", tmp_path / "data", "--out", tmp_path / "back")
    assert journal(tmp_path / "back") == journal(source)
    assert available(tmp_path / "back", None) == 300
    run("export", tmp_path / "back", "--output", tmp_path / "again")
    run("import-experience", tmp_path / "again", "--out", tmp_path / "twice")
    assert journal(tmp_path / "twice") == journal(source)


def test_some_seeds_and_the_first_transitions(source: Path, tmp_path: Path):
    run("export", source, "--output", tmp_path / "data", "--seeds", "1", "--first", "130")
    run("import-experience", tmp_path / "data", "--out", tmp_path / "back")
    back = Journal.open(tmp_path / "back" / "journal")
    assert back.seeds == (1,)
    assert np.array_equal(
        back.read(0, 130)[:, 0], Journal.open(source / "journal").read(0, 130)[:, 1]
    )
    assert len(back) == 130


def test_seeds_and_their_order_can_be_chosen_when_they_come_in(
    source: Path, exported: Path, tmp_path: Path
):
    run(
        "import-experience", exported, "--seeds", "1", "0", "--first", "50", "--out", tmp_path / "b"
    )
    back = Journal.open(tmp_path / "b" / "journal")
    assert back.seeds == (1, 0)
    wanted = Journal.open(source / "journal").read(0, 50)[:, [1, 0]]
    assert np.array_equal(back.read(0, 50), wanted)


def test_a_transplant_from_the_copy_is_one_from_the_run(
    source: Path, exported: Path, tmp_path: Path, capsys
):
    run("import-experience", exported, "--out", tmp_path / "back")
    digests = []
    for place, parent in (("one", source), ("two", tmp_path / "back")):
        short = ("--first", "200", "--env-steps", "30", "--compile", "never", "--quiet", *CALM)
        run("transplant", parent, *short, "--out", tmp_path / place)
        capsys.readouterr()
        run("digest", tmp_path / place)
        digests.append(capsys.readouterr().out)
    assert digests[0] == digests[1]


def test_minari_reads_it_and_recovers_the_environment(
    source: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(exported))
    assert set(minari.list_local_datasets()) == {f"{TASK}/seed0-v0", f"{TASK}/seed1-v0"}
    dataset = minari.load_dataset(f"{TASK}/seed1-v0")
    assert (dataset.total_steps, dataset.total_episodes) == (300, 3)
    labels = list(dataset.storage.get_episode_metadata(range(3)))
    assert [(x["run_seed"], x["start"], x["end"]) for x in labels] == [
        (1, 0, "truncated"),
        (1, 125, "truncated"),
        (1, 250, "cut"),
    ]
    kept = dataset.storage.metadata["primacy"]
    assert (kept["task"], kept["action_repeat"], kept["discount"]) == (TASK, 8, 0.99)
    rows = Journal.open(source / "journal").read(0, 300)[:, 1]
    env = dataset.recover_environment()
    for label, episode in zip(labels, dataset.iterate_episodes(), strict=True):
        assert episode.observations.dtype == episode.actions.dtype == np.float32
        assert not episode.terminations.any()
        assert episode.truncations.tolist().index(True) == 124 if len(episode) == 125 else True
        assert episode.truncations.any() == (label["end"] == "truncated")
        own = rows[label["start"] : label["start"] + len(episode)]
        assert np.array_equal(episode.observations[:-1], own[:, :5])
        assert np.array_equal(episode.actions, own[:, 5:6])
        assert np.array_equal(episode.rewards, own[:, 6])
        observation, _ = env.reset(seed=label["seed"])
        assert np.array_equal(observation, episode.observations[0])
        for action, wanted in zip(episode.actions[:9], episode.observations[1:], strict=False):
            assert np.array_equal(env.step(action)[0], wanted)


def test_what_was_given_is_cut_off_from_what_came_after(source: Path, tmp_path: Path):
    short = ("--first", "60", "--env-steps", "20", "--compile", "never", "--quiet", *CALM)
    run("transplant", source, *short, "--out", tmp_path / "run")
    run("export", tmp_path / "run", "--output", tmp_path / "data", "--one")
    dataset = minari.MinariDataset(tmp_path / "data" / TASK / "seeds-v0" / "data")
    labels = list(dataset.storage.get_episode_metadata(range(4)))
    assert [(x["run_seed"], x["start"], x["end"]) for x in labels] == [
        (0, 0, "cut"),
        (0, 60, "cut"),
        (1, 0, "cut"),
        (1, 60, "cut"),
    ]
    assert ["seed" in label for label in labels] == [False, True, False, True]
    run("import-experience", tmp_path / "data", "--out", tmp_path / "back")
    assert journal(tmp_path / "back") == journal(tmp_path / "run")


# Datasets of others.

FLAT = Box(-np.inf, np.inf, (5,), np.float64)
UNIT = Box(-1, 1, (1,), np.float32)


def foreign(
    folder: Path, observations: Space = FLAT, actions: Space = UNIT, **changes: Any
) -> Path:
    """A dataset of two episodes of 4 and 3 steps; `changes` are arrays of the first one."""
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    random = np.random.default_rng(0)
    flat = isinstance(observations, Box)
    (folder / "data").mkdir(parents=True)
    storage = MinariStorage.new(folder / "data", observations, actions)

    def buffer(steps: int, parts: dict[str, Any]) -> Any:
        some = random.standard_normal((steps + 1, *(observations.shape or ()))) if flat else None
        whole = isinstance(actions, Discrete)
        content = {
            "observations": some if flat else {"x": random.standard_normal((steps + 1, 2))},
            "actions": np.zeros(steps, int) if whole else random.uniform(-1, 1, (steps, 1)),
            "rewards": random.random(steps),
            "terminations": np.arange(steps) == steps - 1,
            "truncations": np.zeros(steps, bool),
        }
        return EpisodeBuffer(**(content | parts))

    storage.update_episodes([buffer(4, changes), buffer(3, {})])
    storage.update_metadata({"dataset_id": "other/thing-v0", "minari_version": minari.__version__})
    return folder


def test_a_dataset_of_others_for_several_seeds(tmp_path: Path):
    path = foreign(tmp_path / "data")
    options = ("--task", TASK, "--action-repeat", "8", "--seeds", "3", "4")
    run("import-experience", path, *options, "--out", tmp_path / "back")
    back, config = Journal.open(tmp_path / "back" / "journal"), read(tmp_path / "back")
    assert (config.task, config.action_repeat, config.given_transitions) == (TASK, 8, 7)
    assert back.seeds == config.seeds == (3, 4)
    rows = back.read(0, 7)
    assert np.array_equal(rows[:, 0], rows[:, 1])
    assert rows[:, 0, 7].tolist() == [0, 0, 0, 1, 0, 0, 1]
    wanted = next(iter(minari.MinariDataset(path / "data").iterate_episodes()))
    assert np.array_equal(rows[:4, 0, :5], wanted.observations[:-1].astype(np.float32))
    assert np.array_equal(rows[:4, 0, 9:], wanted.observations[1:].astype(np.float32))
    assert read_json(tmp_path / "back" / "config.json")["import"] == {
        "datasets": ["other/thing-v0"]
    }


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capsys.readouterr()
    assert cli.main(list(map(str, arguments))) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 2, error
    return error


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"observations": Box(-1, 1, (7,), np.float32)}, (), "observations of 7"),
        ({"observations": Box(0, 1, (3, 2), np.float32)}, (), "observations of Box(3, 2)"),
        ({"observations": Dict(x=Box(0, 1, (2,)))}, (), "observations of Dict"),
        ({"actions": Discrete(3)}, (), "actions of Discrete"),
        ({"actions": Box(-2, 2, (1,), np.float32)}, (), "outside [-1, 1]"),
        ({"rewards": np.array([0, 1, np.nan, 0])}, (), "not finite in episode 0"),
        ({"rewards": np.array([0, 1, 1e300, 0])}, (), "not finite in episode 0"),
        ({"terminations": np.array([0, 1, 0, 0], bool)}, (), "after the end of episode 0"),
        ({"truncations": np.zeros(3, bool)}, (), "unequal length in episode 0"),
        ({}, ("--first", "8"), "7 transitions, not 8"),
        ({}, ("--task", "cartpol-swingup"), "cartpol-swingup"),
    ],
)
def test_datasets_that_no_journal_can_hold(tmp_path: Path, capsys, changes, options, words):
    path = foreign(tmp_path / "data", **changes)
    given = ("--task", TASK, *options, "--out", tmp_path / "out")
    assert words in refused(capsys, "import-experience", path, *given)
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_a_dataset_without_a_task_or_beside_another(tmp_path: Path, capsys, exported: Path):
    one, two = foreign(tmp_path / "one"), foreign(tmp_path / "two")
    out = ("--out", tmp_path / "out")
    assert "names no task" in refused(capsys, "import-experience", one, *out)
    assert "which seed" in refused(capsys, "import-experience", one, two, "--task", TASK, *out)
    assert "import it alone" in refused(capsys, "import-experience", one, exported, *out)
    assert "no Minari dataset" in refused(capsys, "import-experience", tmp_path / "x", *out)


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    shutil.copytree(exported, tmp_path / "copy")
    return tmp_path / "copy"


def test_damaged_datasets(copy: Path, tmp_path: Path, capsys):
    out, data = ("--out", tmp_path / "out"), copy / TASK / "seed0-v0" / "data"
    file = data / "main_data.hdf5"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in refused(capsys, "import-experience", copy, *out)
    file.write_bytes(whole)
    with h5py.File(file, "a") as opened:
        del opened["episode_1"]["actions"]
    assert "cannot be read" in refused(capsys, "import-experience", copy, *out)
    with h5py.File(file, "a") as opened:
        del opened["episode_2"]
    assert "cannot be read" in refused(capsys, "import-experience", copy, *out)
    metadata = json.loads((data / "metadata.json").read_text())
    file.write_bytes(whole)
    (data / "metadata.json").write_text(json.dumps(metadata | {"total_steps": 400}))
    assert "300 of 400 steps" in refused(capsys, "import-experience", copy, *out)
    (data / "metadata.json").write_text(json.dumps(metadata | {"primacy": {"task": TASK}}))
    assert "export it again" in refused(capsys, "import-experience", copy, *out)
    (data / "metadata.json").write_text("{")
    assert "cannot be read" in refused(capsys, "import-experience", copy, *out)
    assert not (tmp_path / "out").exists()


def test_datasets_that_do_not_belong_together(source: Path, copy: Path, tmp_path: Path, capsys):
    out = ("--out", tmp_path / "out")
    run("export", source, "--output", tmp_path / "short", "--seeds", "1", "--first", "100")
    one = copy / TASK / "seed0-v0"
    short = tmp_path / "short"
    assert "seed 1: 100" in refused(capsys, "import-experience", one, short, *out)
    assert "seed 1 is in" in refused(capsys, "import-experience", copy, short, *out)
    assert "no dataset has seed 5" in refused(
        capsys, "import-experience", copy, "--seeds", "5", *out
    )
    assert "leave --task out" in refused(capsys, "import-experience", copy, "--task", "x", *out)
    run("import-experience", one, short, "--first", "100", *out)
    assert "not empty" in refused(capsys, "import-experience", one, *out)


def test_exports_that_cannot_be(source: Path, exported: Path, tmp_path: Path, capsys, monkeypatch):
    out = ("--output", tmp_path / "out")
    assert "no seed 7" in refused(capsys, "export", source, "--seeds", "7", *out)
    assert "300 transitions per seed, not 301" in refused(
        capsys, "export", source, "--first", "301", *out
    )
    assert "exists already" in refused(capsys, "export", source, "--output", exported)
    assert "config.json" in refused(capsys, "export", tmp_path, *out)
    monkeypatch.setitem(sys.modules, "minari", None)
    assert "primacy[minari]" in refused(capsys, "export", source, *out)
    assert "primacy[minari]" in refused(capsys, "import-experience", exported, "--out", "x")
