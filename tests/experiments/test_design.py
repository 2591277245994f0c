"""Designs: which points they have, and what the points set."""

from __future__ import annotations

import pytest

from harness.errors import ScenarioError
from harness.experiments.design import Parameter, Target, full_grid, sampled

from .conftest import MakeSweep

FALL = Parameter(name="fall", low=0.1, high=0.5, steps=5)
DEPTH = Parameter(path="asset.ETH.external.depth_2pct_usd", low=1e4, high=1e8, spacing="log")


def test_a_grid_has_every_combination_the_last_parameter_fastest() -> None:
    lists = [Parameter(path="a", values=(1, 2)), Parameter(path="b.c", values=("x", "y"))]
    overrides = [point.overrides for point in full_grid(lists)]
    assert overrides == [
        ("a=1", 'b.c="x"'),
        ("a=1", 'b.c="y"'),
        ("a=2", 'b.c="x"'),
        ("a=2", 'b.c="y"'),
    ]


def test_a_grid_has_both_ends_exactly_and_even_steps() -> None:
    assert FALL.grid() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert (FALL.grid()[0], FALL.grid()[-1]) == (0.1, 0.5)


def test_logarithmic_steps_are_equal_ratios() -> None:
    assert [DEPTH.at(i / 4) for i in range(5)] == pytest.approx([1e4, 1e5, 1e6, 1e7, 1e8])


def test_whole_values_are_integers_each_once() -> None:
    assert Parameter(path="a", low=1, high=3, steps=9, whole=True).grid() == [1, 2, 3]


def test_targets_follow_a_parameter() -> None:
    share = Parameter(
        name="share",
        low=0,
        high=1,
        targets=(Target("whale", times=100), Target("others", times=-100, plus=100, whole=True)),
    )
    assert share.sets(0.25) == ["whale=25.0", "others=75"]


def test_a_latin_hypercube_meets_every_stratum_of_every_parameter_once() -> None:
    points = sampled([FALL, DEPTH], "latin-hypercube", 16, seed=3)
    for place, low, high in ((0, 0.1, 0.5), (1, 1e4, 1e8)):
        values = [point.values[place][1] for point in points]
        if place == 0:
            strata = [int(16 * (value - low) / (high - low)) for value in values]  # type: ignore[operator]
        else:
            import math

            span = math.log(high / low)
            strata = [int(16 * math.log(value / low) / span) for value in values]  # type: ignore[operator]
        assert sorted(strata) == list(range(16))


def test_a_sobol_sequence_of_a_power_of_two_is_balanced_in_every_quarter() -> None:
    points = sampled([FALL, FALL], "sobol", 32, seed=5)
    quarters = [
        tuple(float(value) >= 0.3 for _, value in point.values)  # type: ignore[arg-type]
        for point in points
    ]
    assert {quarters.count((a, b)) for a in (False, True) for b in (False, True)} == {8}


@pytest.mark.parametrize("kind", ["latin-hypercube", "sobol"])
def test_a_sampled_design_is_that_of_its_seed(kind: str) -> None:
    first, again, other = (sampled([FALL, DEPTH], kind, 8, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_value_of_a_list_is_sampled_alike() -> None:
    listed = Parameter(path="a", values=("x", "y", "z", "w"))
    points = sampled([listed], "latin-hypercube", 8, seed=0)
    values = [point.values[0][1] for point in points]
    assert {value: values.count(value) for value in values} == dict.fromkeys("xyzw", 2)


GRID = 'scenario = "single-pair.toml"\n'
PARAMETER = "[[parameter]]\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ["parameter", "at least one"]),
        ("[[point]]\nset = ['clock.blocks=3']", ["point", 'design = "list"']),
        ("design = 'list'", ["point", "at least one"]),
        ("design = 'list'\n[[point]]\nset = []", ["point[0].set"]),
        ("design = 'list'\n[[point]]\nset = ['clock.bloks=3']", ["point[0]: clock.bloks"]),
        ("design = 'hexagonal'", ["design", "'hexagonal'", "sobol"]),
        ("seeds = 0", ["seeds", "0", ">= 1"]),
        (PARAMETER + "low = 1\nhigh = 2\nsteps = 2", ["parameter[0].path", "set"]),
        (PARAMETER + "path = 'clock.blocks'", ["parameter[0].low, high"]),
        (PARAMETER + "path = 'clock.blocks'\nlow = 3\nhigh = 2", ["[3.0, 2.0]", "low < high"]),
        (PARAMETER + "path = 'clock.blocks'\nlow = 1\nhigh = 2", ["parameter[0].steps"]),
        (PARAMETER + "path = 'clock.bloks'\nvalues = [3]", ["clock.bloks", "blocks"]),
        (PARAMETER + "path = 'a'\nlow = 0\nhigh = 2\nsteps = 2\nspacing = 'log'", ["> 0"]),
        ("samples = 5\n" + PARAMETER + "path = 'clock.blocks'\nvalues = [3]", ["samples", "5"]),
        ("design = 'sobol'\n" + PARAMETER + "path = 'a'\nvalues = [3]", ["samples", "0"]),
        ("[search]\nkind = 'shock'\nlow = 0.1\nhigh = 0.2", ["search.path"]),
        ("[search]\nkind = 'quake'\nlow = 0.1\nhigh = 0.2", ["search.kind", "shock"]),
        ("[search]\nkind = 'shock'\npath = 'a'\nlow = 0.2\nhigh = 0.1", ["search.low, high"]),
        ("[search]\nkind = 'value'\npath = 'a'\nlow = 0\nhigh = 1", ["search.worse"]),
        ("[search]\nkind = 'oracle-age'\npath = 'a'\nlow = 0\nhigh = 1.5", ["whole numbers"]),
    ],
)
def test_a_design_that_cannot_be_run_names_its_field(
    text: str, named: list[str], sweep_of: MakeSweep
) -> None:
    with pytest.raises(ScenarioError) as caught:
        sweep_of(GRID + text)
    for part in named:
        assert part in str(caught.value)
