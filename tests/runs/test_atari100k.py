"""The Atari-100k study as commands, and what was published beside its report."""

from pathlib import Path

import numpy as np
import pytest

from primacy.agents.value_settings import BBFConfig, bbf_rl, drq
from primacy.plasticity.remedies import parse
from primacy.runs.atari100k import SCALES, TASKS, conditions
from primacy.runs.normalisation import normaliser
from primacy.runs.options import as_arguments, parse_train
from primacy.runs.published import AGGREGATES, TABLE, by_game
from primacy.runs.report import ReportOptions, run
from primacy.runs.statistics import Bootstrap, Scores, estimate
from primacy.tests.support.report_runs import constant, write_run
from primacy.tests.support.small_runs import primacy


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("task", ["atari-pong", "atari-ms_pacman"])
def test_every_command_makes_its_configuration(name: str, task: str):
    cells = list(conditions(task, SCALES[name]))
    assert len({cell.name for cell in cells}) == 9
    for cell in cells:
        parsed = parse_train([*cell.arguments[1:], "--out", "x"]).run
        assert parsed == cell.config
        assert as_arguments(parsed) == list(cell.arguments[1:])


def events(text: str, updates: int) -> list[int]:
    remedy, at, found = parse(text), 0, []
    assert remedy is not None
    while (at := remedy.next_after(at)) is not None and at <= updates:
        if remedy.event(at, updates) is not None:
            found.append(at)
    return found


def test_the_paper_scale_is_the_table():
    scale = SCALES["paper"]
    assert (len(scale.tasks), scale.seeds) == (26, (0, 1, 2, 3, 4))
    cells = {c.name.partition("/")[2]: c.config for c in conditions("atari-pong", scale)}
    assert {c.updates_until(c.env_steps) for c in cells.values()} == {196_000}
    assert cells["drq"].algorithm == drq(BBFConfig())
    assert cells["bbf-rl"].algorithm == bbf_rl(BBFConfig())
    assert cells["bbf"].algorithm == BBFConfig()
    assert {(c.eval_every, c.eval_episodes) for c in cells.values()} == {(100_000, 100)}
    four = [40_000, 80_000, 120_000, 160_000]
    fired = {n: [events(text, 196_000) for text in c.remedies] for n, c in cells.items()}
    assert fired["drq"] == []
    assert fired["drq-hr40k"] == fired["drq-sp"] == [four]
    assert len(fired["drq-hr20k"][0]) == 9
    assert fired["bbf"] == fired["bbf-rl"] == [four, four]
    resets, copies = fired["drq-hr40k-ht"]
    assert resets == four
    assert len(copies) == 97
    assert not set(resets) & set(copies)


@pytest.mark.parametrize("name", SCALES)
def test_remedies_fire_at_every_scale(name: str):
    for cell in conditions("atari-pong", SCALES[name]):
        updates = cell.config.updates_until(cell.config.env_steps)
        for text in cell.config.remedies:
            assert len(events(text, updates)) >= 4, (cell.name, text)


def test_labels_are_those_of_the_published_rows():
    labels = {cell.config.label for cell in conditions("atari-pong", SCALES["paper"])}
    assert labels == {row.condition for row in AGGREGATES if row.source.startswith(TABLE)}


@pytest.mark.parametrize(
    ("agent", "mean", "median"),
    [
        ("DrQ(eps)", 0.465, 0.313),
        ("SPR", 0.616, 0.396),
        ("SR-SPR (replay ratio 16)", 1.271, 0.684),
        ("BBF (replay ratio 8)", 2.247, 0.917),
        ("BBF", 2.175, 0.755),
        ("BBF without self-prediction", 1.737, 0.711),
    ],
)
def test_published_returns_give_the_published_aggregates(agent: str, mean: float, median: float):
    """Scores by our normaliser, aggregates by our estimators."""
    games = by_game()
    how = normaliser("atari", tuple(games))
    scores = {game: {0: float(how.apply(game, np.array(a[agent])))} for game, a in games.items()}
    found = estimate(Scores.of(scores), ("mean", "median"), Bootstrap())
    assert float(found["mean"].value[0]) == pytest.approx(mean, abs=2e-3)
    assert float(found["median"].value[0]) == pytest.approx(median, abs=2e-3)


def test_a_report_on_games_shows_what_was_published(tmp_path: Path):
    for number, label in enumerate(("DrQ", "DrQ + H&T")):
        write_run(
            tmp_path / label,
            constant({0: 1000.0 + number, 1: 2000.0, 2: 3000.0}),
            [100, 200, 300, 400],
            task="atari-road_runner",
            label=label,
            remedies=["hare-tortoise:every=9"] * number,
        )
    run(ReportOptions((tmp_path,), tmp_path / "report"))
    lines = (tmp_path / "report" / "published.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 + len(AGGREGATES)
    assert sum(line.startswith("here,") for line in lines) == 2
    assert "11211.4" in (tmp_path / "report" / "report.md").read_text()
    assert "Published results" in (tmp_path / "report" / "index.html").read_text()


def test_a_report_on_other_tasks_does_not(tmp_path: Path):
    write_run(tmp_path / "a", constant({0: 1.0, 1: 2.0, 2: 3.0}), [100, 200, 300, 400])
    run(ReportOptions((tmp_path / "a",), tmp_path / "report"))
    assert len((tmp_path / "report" / "published.csv").read_text().splitlines()) == 1
    assert "Published results" not in (tmp_path / "report" / "index.html").read_text()


def test_a_task_that_is_no_game(tmp_path: Path):
    answer = primacy("run", "atari100k", "--tasks", "atari-pongo", "--out", str(tmp_path / "x"))
    assert answer.returncode == 2
    assert "atari-pong" in answer.stderr
    assert len(TASKS) == 26


@pytest.mark.slow
def test_the_smoke_scale_ends_in_a_report(tmp_path: Path):
    answer = primacy("run", "atari100k", "--scale", "smoke", "--out", str(tmp_path / "x"))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "9 of 9 runs finished" in answer.stdout
    assert (tmp_path / "x" / "report" / "index.html").exists()
