"""What figures show: looks of conditions, scales, marks, and how much data they carry."""

import csv
import io
import json
import re

import numpy as np
import pytest
import vl_convert

from primacy.runs.report_diagnostics import value_cap
from primacy.runs.report_drawing import specification
from primacy.runs.report_figures import figures
from primacy.runs.report_panels import DASHED, DOTTED, PALETTE, SHAPES, SOLID, styles, thin
from primacy.runs.report_study import study
from primacy.runs.report_tables import numbers
from primacy.runs.results import read_runs
from primacy.runs.statistics import Bootstrap
from primacy.tests.support.report_runs import constant, demo, write_run

RESET = ["reset:every=2"]
SHRINK = ["shrink-perturb:every=2"]
STEPS = [1, 2, 3, 4]
SEEDS = {0: 100.0, 1: 200.0, 2: 300.0}


def read(folder):
    return study(read_runs([folder]))


def drawn(found):
    return figures(found, numbers(found, Bootstrap(resamples=500)), Bootstrap(resamples=500))


def overview(found):
    (figure,) = drawn(found)["overview"]
    return figure.groups


def values(data):
    return list(csv.DictReader(io.StringIO(data["values"])))


def y_scales(panel):
    return [
        layer["encoding"]["y"]["scale"]
        for layer in panel["layer"]
        if "scale" in layer["encoding"].get("y", {})
    ]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_with_and_without_a_remedy_share_a_hue(tmp_path):
    found = read(demo(tmp_path))
    looks = {look.label: look for look in styles(found).values()}
    for setting in ("replay ratio 4", "replay ratio 32", "primed"):
        without, treated = looks[setting], looks[f"{setting} + reset"]
        assert without.colour == treated.colour
        assert (without.dash, treated.dash) == (DASHED, SOLID)
    assert len({look.colour for look in looks.values()}) == 4


def test_several_remedies_have_hues_of_their_own(tmp_path):
    for name, remedies in (("a", []), ("b", RESET), ("c", SHRINK)):
        write_run(tmp_path / name, constant(SEEDS), STEPS, remedies=remedies)
    looks = list(styles(read(tmp_path)).values())
    assert len({look.colour for look in looks}) == 3
    assert sorted(look.dash for look in looks) == sorted([DASHED, SOLID, SOLID])


def test_conditions_beyond_the_palette_are_told_apart_by_dash(tmp_path):
    for size in range(len(PALETTE) + 2):
        write_run(tmp_path / str(size), constant({0: 1}), STEPS, batch_size=size + 1)
    looks = list(styles(read(tmp_path)).values())
    assert len({(look.colour, tuple(look.dash)) for look in looks}) == len(looks)
    assert looks[-1].dash == DOTTED
    assert len({look.shape for look in looks[: len(SHAPES)]}) == len(SHAPES)


@pytest.mark.parametrize("background", ["#ffffff", "#14171a"])
def test_first_colours_stand_out_on_light_and_dark(background):
    for colour in PALETTE[:5]:
        light, dark = sorted([luminance(colour), luminance(background)], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3


@pytest.mark.parametrize(("points", "most"), [(1, 400), (16, 400), (400, 400), (12345, 400)])
def test_thin_keeps_both_ends(points, most):
    kept = thin(points, most)
    assert (kept[0], kept[-1]) == (0, points - 1)
    assert len(kept) == min(points, most)


def test_curves_carry_at_most_400_points_of_4_digits(tmp_path):
    steps = list(range(1, 1001))
    write_run(tmp_path / "a", {s: [123.456789] * 1000 for s in SEEDS}, steps)
    (group,) = overview(read(tmp_path))
    points = values(group.panels[0]["data"])
    assert len(points) == 400
    assert points[-1]["x"] == "1000"
    assert points[0]["y"] == "123.5"
    assert group.panels[0]["layer"][2]["mark"]["opacity"] == 0


def test_mean_q_is_logarithmic_only_when_it_diverges(tmp_path):
    for task, top in (("walker-stand", 300.0), ("walker-walk", 1e6)):
        mean_q = {seed: [10.0, 20.0, 30.0, top if seed == 0 else 40.0] for seed in SEEDS}
        write_run(tmp_path / task, constant(SEEDS), STEPS, task=task, mean_q=mean_q)
    mean_q = {seed: [-10.0, 20.0, 30.0, 1e6] for seed in SEEDS}
    write_run(tmp_path / "below", constant(SEEDS), STEPS, task="walker-run", mean_q=mean_q)
    groups = {group.title: group for group in overview(read(tmp_path))}
    kinds = {
        title: {scale.get("type", "linear") for scale in y_scales(group.panels[1])}
        for title, group in groups.items()
    }
    assert kinds == {"walker-stand": {"linear"}, "walker-walk": {"log"}, "walker-run": {"symlog"}}
    text = json.dumps(groups["walker-stand"].panels[1])
    assert "cap 400 = largest reward / (1 - discount)" in text
    assert '"strokeDash": [8, 4]' in text


def test_ticks_over_many_decades_each_have_their_own_prefix(tmp_path):
    mean_q = {seed: [-10.0, 20.0, 3e4, 1e8] for seed in SEEDS}
    write_run(tmp_path / "run", constant(SEEDS), STEPS, mean_q=mean_q)
    (group,) = overview(read(tmp_path))
    picture = vl_convert.vegalite_to_svg(json.dumps({**group.panels[1], "height": 600}))
    shown = set(re.findall(r"<text[^>]*>([^<]*)</text>", picture))
    assert {"100M", "10k"} < shown
    assert "0M" not in shown


@pytest.mark.parametrize(
    ("settings", "cap"),
    [
        ({}, 400.0),
        ({"reward_scale": 2.0}, 800.0),
        ({"reward_scale": 10.0, "reward_bias": -5.0}, 3500.0),
        ({"action_repeat": 1, "reward_bias": -1.0}, 0.0),
        ({"reward_bias": -5.0}, 0.0),
        ({"discount": 1.0}, None),
    ],
)
def test_the_cap_is_of_rewards_as_they_are_learned_from(tmp_path, settings, cap):
    write_run(tmp_path / "a", constant(SEEDS), STEPS, **settings)
    ((condition,),) = (experiment.conditions for experiment in read(tmp_path).experiments)
    assert value_cap(condition, "walker-stand") == cap


def test_return_and_mean_q_share_their_x_axis(tmp_path):
    mean_q = {seed: [1.0, 2.0, 3.0, 4.0] for seed in SEEDS}
    returns = {seed: [1.0, 2.0] for seed in SEEDS}
    write_run(tmp_path / "a", returns, STEPS, mean_q=mean_q)
    (group,) = overview(read(tmp_path))
    ends = [panel["layer"][0]["encoding"]["x"]["scale"]["domain"] for panel in group.panels]
    assert ends == [[1, 4], [1, 4]]


def test_interventions_are_marked_in_a_row_per_condition(tmp_path):
    quiet = [(-1, 1, "prime"), (-1, 4, "restart"), (0, 4, "frozen")]
    for size in (1, 2):
        write_run(
            tmp_path / str(size), constant(SEEDS), STEPS, batch_size=size, remedies=RESET,
            resets=[2, 3], events=quiet,
        )  # fmt: skip
    (group,) = overview(read(tmp_path))
    marks = [
        layer for layer in group.panels[0]["layer"] if layer["mark"].get("shape") == "triangle-up"
    ]
    assert [[row["x"] for row in values(layer["data"])] for layer in marks] == [["2", "3"]] * 2
    heights = [layer["encoding"]["y"]["value"] for layer in marks]
    assert heights[0] != heights[1]


def test_a_replay_ratio_not_run_breaks_the_line(tmp_path):
    for ratio, remedies in (("1", []), ("4", []), ("16", []), ("1", RESET), ("16", RESET)):
        folder = tmp_path / f"{ratio}{len(remedies)}"
        write_run(folder, constant(SEEDS), STEPS, replay_ratio=ratio, remedies=remedies)
    (figure,) = drawn(read(tmp_path))["replay-ratio"]
    (panel,) = figure.groups[0].panels
    lines = [(row["remedy"], row["x"], row["y"]) for row in values(panel["layer"][0]["data"])]
    assert lines == [
        ("no remedy", "1", "0.2"),
        ("no remedy", "4", "0.2"),
        ("no remedy", "16", "0.2"),
        ("reset", "1", "0.2"),
        ("reset", "4", ""),
        ("reset", "16", "0.2"),
    ]
    assert panel["layer"][-1]["encoding"]["x"]["scale"]["base"] == 2


def test_one_replay_ratio_has_no_curve(tmp_path):
    write_run(tmp_path / "a", constant(SEEDS), STEPS)
    assert drawn(read(tmp_path))["replay-ratio"] == []


def test_diagnostics_have_a_panel_per_metric_and_layer(tmp_path):
    demo(tmp_path)
    (critic, actor) = drawn(read(tmp_path / "ablation/none-4"))["diagnostics"]
    titles = [panel["title"] for panel in critic.groups[0].panels]
    assert titles[:3] == [
        "gradient norm",
        "dormant share at 0.025 (critic.0)",
        "dormant share at 0.025 (critic.1)",
    ]
    assert titles[-1] == "stable rank (critic.1)"
    assert len(titles) == 1 + 7 + 11 + 2
    assert actor.name == "diagnostics-walker-stand-actor"


def test_data_stands_in_each_panel_so_that_figures_can_be_composed(tmp_path):
    mean_q = {seed: [1.0, 2.0, 3.0, 4.0] for seed in SEEDS}
    write_run(tmp_path / "a", constant(SEEDS), STEPS, mean_q=mean_q, remedies=RESET, resets=[2])
    found = read(tmp_path)
    (figure,) = drawn(found)["overview"]
    whole = specification(figure, styles(found))
    assert "datasets" not in json.dumps(whole)
    for group in whole["concat"]:
        legend, panels = group["vconcat"]
        for panel in [legend, *panels["concat"]]:
            assert values(panel["data"])
            own = [layer for layer in panel["layer"] if "data" in layer]
            assert all(values(layer["data"]) for layer in own)
