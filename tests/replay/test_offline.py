"""Data sets against the rules of d4rl.qlearning_dataset, and every way a file can be wrong."""

import importlib
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primacy.replay.layout import Layout
from primacy.replay.offline import MARGIN, DataFault, load, transitions

Arrays = dict[str, np.ndarray]


def arrays(count: int = 40, seed: int = 0) -> Arrays:
    """A file as D4RL's: nothing but its keys, types and shapes."""
    generator = np.random.default_rng(seed)
    flags = generator.random((2, count)) < 0.15
    return {
        "observations": generator.normal(0.0, 0.1, (count, 29)).astype(np.float32),
        "actions": generator.uniform(-1, 1, (count, 8)).astype(np.float32),
        "rewards": flags[0].astype(np.float32),
        "terminals": flags[0],
        "timeouts": flags[1],
    }


def write(path: Path, parts: Arrays) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **parts)  # pyright: ignore
        return path
    with h5py.File(path, "w") as file:
        for key, part in parts.items():
            file.create_dataset(key, data=part, compression="gzip" if part.ndim else None)
        file.create_dataset("infos/goal", data=np.zeros((3, 2)))
    return path


def qlearning_twin(parts: Arrays) -> dict[str, list]:
    """The rule row by row, and the split of IQL's and RLPD's loader, as the field writes them."""
    found: dict[str, list] = {"obs": [], "action": [], "next": [], "reward": [], "terminal": []}
    for i in range(len(parts["rewards"]) - 1):
        if parts["timeouts"][i]:
            continue
        found["obs"].append(parts["observations"][i])
        found["action"].append(parts["actions"][i].clip(-1 + 1e-5, 1 - 1e-5))
        found["next"].append(parts["observations"][i + 1])
        found["reward"].append(float(parts["rewards"][i]))
        found["terminal"].append(bool(parts["terminals"][i]))
    done = []
    for i in range(len(found["obs"]) - 1):
        away = np.linalg.norm(found["obs"][i + 1] - found["next"][i]) > 1e-6
        done.append(bool(away or found["terminal"][i]))
    return found | {"done": [*done, True]}


def test_the_six_rows_of_the_specification():
    parts = arrays(6)
    parts["terminals"] = np.array([0, 0, 0, 0, 1, 0], dtype=bool)
    parts["timeouts"] = np.array([0, 0, 1, 0, 0, 0], dtype=bool)
    parts["rewards"] = np.arange(6, dtype=np.float32)
    found = transitions(parts)
    np.testing.assert_array_equal(found.reward, [0, 1, 3, 4])
    np.testing.assert_array_equal(found.mask, [1, 1, 1, 0])
    np.testing.assert_array_equal(found.done, [False, True, False, True])
    np.testing.assert_array_equal(found.truncated, [False, True, False, False])
    np.testing.assert_array_equal(found.next_observation, parts["observations"][[1, 2, 4, 5]])


@settings(max_examples=60, deadline=None)
@given(count=st.integers(2, 60), seed=st.integers(0, 10_000))
def test_transitions_are_those_of_the_plain_rule(count: int, seed: int):
    parts = arrays(count, seed)
    wanted = qlearning_twin(parts)
    if not wanted["obs"]:
        with pytest.raises(DataFault, match="no row has a successor"):
            transitions(parts)
        return
    found = transitions(parts)
    np.testing.assert_array_equal(found.observation, wanted["obs"])
    np.testing.assert_array_equal(found.action, np.array(wanted["action"], dtype=np.float32))
    np.testing.assert_array_equal(found.next_observation, wanted["next"])
    np.testing.assert_array_equal(found.reward, wanted["reward"])
    np.testing.assert_array_equal(found.terminated, wanted["terminal"])
    np.testing.assert_array_equal(found.done, wanted["done"])
    assert not (found.terminated & found.truncated).any()


def test_transitions_are_those_of_d4rl_itself():
    from primacy.envs.antmaze_d4rl import import_gym
    from primacy.envs.faults import Unsupported

    try:
        import_gym()
    except Unsupported as fault:
        pytest.skip(f"{fault} ({fault.hint})")
    d4rl = importlib.import_module("d4rl")
    parts = arrays(300, 7)
    wanted = d4rl.qlearning_dataset(None, dataset=parts)
    found = transitions(parts)
    np.testing.assert_array_equal(found.observation, wanted["observations"])
    np.testing.assert_array_equal(found.next_observation, wanted["next_observations"])
    np.testing.assert_array_equal(found.reward, wanted["rewards"])
    np.testing.assert_array_equal(found.terminated, wanted["terminals"])


@pytest.mark.parametrize("kind", ["hdf5", "npz"])
def test_a_file_is_read_and_its_figures_are_said(kind: str, tmp_path: Path):
    parts = arrays(200)
    parts["rewards"] = parts["rewards"][:, None]
    parts["terminals"] = parts["terminals"].astype(np.float32)[:, None]
    said: list[str] = []
    path = write(tmp_path / f"data.{kind}", parts)
    found = load(path, 29, 8, say=said.append)
    plain = transitions(arrays(200))
    assert (found.reward.dtype, found.terminated.dtype) == (np.float32, np.bool_)
    np.testing.assert_array_equal(found.rows(Layout(29, 8)), plain.rows(Layout(29, 8)))
    statistics = found.statistics
    assert statistics.rows == 200
    assert statistics.transitions == len(found)
    assert statistics.terminals == statistics.successes == int(parts["terminals"].sum())
    assert statistics.timeouts == int(parts["timeouts"].sum())
    assert statistics.trajectories == int(found.done.sum())
    (text,) = said
    assert f"200 rows -> {len(found)} transitions" in text
    assert "warning" not in text


def test_what_is_suspicious_is_said():
    parts = arrays(100)
    parts["rewards"][:] = 0.0
    parts["observations"][50:, 0] += 4.0
    parts["timeouts"][49] = parts["terminals"][49] = False
    text = transitions(parts).statistics.text()
    assert "no row has a reward above 0" in text
    assert f"{int(parts['terminals'].sum())} terminal rows have no reward" in text
    assert "1 transitions jump by more than 1 m" in text
    parts["timeouts"][49] = True
    assert "jump" not in transitions(parts).statistics.text()


def test_rewards_stay_raw_and_actions_are_clipped_a_little():
    parts = arrays(10)
    parts["rewards"] = np.linspace(-3, 5, 10)
    parts["actions"][2] = 1.0
    parts["actions"][3] = -1.0005
    parts["timeouts"][:] = False
    found = transitions(parts)
    np.testing.assert_array_equal(found.reward, parts["rewards"][:9].astype(np.float32))
    assert found.action.max() == np.float32(1 - MARGIN) == -found.action.min()
    assert found.statistics.clipped == 16


def test_next_observations_of_a_files_own_leave_no_row_out():
    parts = arrays(20)
    parts["next_observations"] = parts["observations"] + 0.01
    found = transitions(parts)
    assert len(found) == 20
    np.testing.assert_array_equal(found.next_observation, parts["next_observations"])
    assert found.done.all()


def test_without_timeouts_an_episode_is_so_many_rows():
    parts = arrays(30)
    del parts["timeouts"]
    parts["terminals"][:] = False
    parts["terminals"][13] = True  # episodes: 0-4, 5-9, 10-13, 14-18, 19-23, 24-28, 29
    with pytest.raises(DataFault, match="no timeouts") as caught:
        transitions(parts)
    assert "episode_length" in caught.value.hint
    parts["rewards"] = np.arange(30.0)
    found = transitions(parts, episode_length=5)
    left_out = {4, 9, 18, 23, 28, 29}
    np.testing.assert_array_equal(found.reward, [i for i in range(30) if i not in left_out])


def spoil(key: str, change) -> Arrays:
    parts = arrays(12)
    parts[key] = change(parts[key].astype(np.float64))
    return parts


def with_nan(part: np.ndarray) -> np.ndarray:
    part[7] = np.nan
    return part


BAD = {
    "rewards are short": (spoil("rewards", lambda part: part[:-1]), "rewards .*shape .11,."),
    "actions are flat": (spoil("actions", lambda part: part[:, 0]), "actions .*shape .12,."),
    "actions of another task": (spoil("actions", lambda part: part[:, :6]), "not .12, 8."),
    "observations of another": (spoil("observations", lambda part: part[:, 2:]), "not .12, 29."),
    "observations are flat": (spoil("observations", lambda part: part[:, 0]), "observations have"),
    "a scalar": (spoil("observations", lambda part: np.array(1.0)), "observations have"),
    "NaN observation": (spoil("observations", with_nan), "observations are not finite in row 7"),
    "NaN reward": (spoil("rewards", with_nan), "rewards are not finite in row 7"),
    "infinite action": (spoil("actions", lambda part: part * np.inf), "actions are not finite"),
    "too large for float32": (spoil("observations", lambda part: part + 1e300), "not finite"),
    "actions beyond the range": (spoil("actions", lambda part: 30 * part), "actions reach"),
    "flags of 2": (spoil("terminals", lambda part: part + 2), "terminals are other than 0 and 1"),
    "timeouts of 0.5": (spoil("timeouts", lambda part: part + 0.5), "timeouts are other than"),
    "one row": ({key: part[:1] for key, part in arrays(12).items()}, "1 rows are too few"),
    "no row": ({key: part[:0] for key, part in arrays(12).items()}, "0 rows are too few"),
}
BAD |= {
    f"no {key}": ({name: part for name, part in arrays(12).items() if name != key}, f"no {key}")
    for key in ("observations", "actions", "rewards", "terminals", "timeouts")
}


@pytest.mark.parametrize("kind", ["hdf5", "npz"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line_and_a_hint(name: str, kind: str, tmp_path: Path):
    parts, message = BAD[name]
    path = write(tmp_path / f"bad.{kind}", parts)
    with pytest.raises(DataFault, match=message) as caught:
        load(path, 29, 8)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value) + caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["hdf5", "npz"])
@pytest.mark.parametrize("share", [0.001, 0.3, 0.6, 0.95, 0.999])
def test_a_torn_file_is_one_line(kind: str, share: float, tmp_path: Path):
    path = write(tmp_path / f"torn.{kind}", arrays(3000))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataFault, match=r"torn\.") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_shapes_are_checked_among_themselves_where_no_task_says_them(tmp_path: Path):
    for parts, message in (BAD["a scalar"], BAD["observations are flat"], BAD["actions are flat"]):
        with pytest.raises(DataFault, match=message.partition(" .")[0]):
            transitions(parts)
    parts = arrays(12)
    parts["next_observations"] = parts["observations"][:, :5]
    with pytest.raises(DataFault, match="next_observations .*not .12, 29."):
        transitions(parts)


def test_a_damaged_npz_is_found(tmp_path: Path):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, **arrays(3000))  # pyright: ignore
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(DataFault, match=r"damaged\.npz is torn or damaged"):
        load(path)


def test_other_files_are_refused(tmp_path: Path):
    with pytest.raises(DataFault, match="no such file") as caught:
        load(tmp_path / "none.hdf5")
    assert "path" in caught.value.hint
    with pytest.raises(DataFault, match="no such file"):
        load(tmp_path)
    (tmp_path / "page.hdf5").write_text("<html>Not found</html>")
    with pytest.raises(DataFault, match="neither HDF5 nor NPZ"):
        load(tmp_path / "page.hdf5")
    np.savez(tmp_path / "objects.npz", observations=np.array([{}, None], dtype=object))
    with pytest.raises(DataFault, match="not of numbers"):
        load(tmp_path / "objects.npz")


def test_without_h5py_the_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write(tmp_path / "data.hdf5", arrays())
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataFault, match="h5py is not installed") as caught:
        load(path)
    assert "primacy[offline]" in caught.value.hint
