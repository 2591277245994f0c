"""Comparisons: common random numbers, paired differences, intervals, the table and the command."""

import json
from itertools import product

import pytest

from harness.cli import main
from harness.experiments.compare import BASELINE, compare
from harness.experiments.moved import shifts
from harness.experiments.pool import local_executor
from harness.experiments.table import comparison_table
from harness.metrics.outcome import FIGURES
from harness.risk.intervals import Interval, bootstrap_mean
from harness.run import run
from harness.scenario import dump_scenario, load_scenario

SMALL = (
    "clock.blocks=25",
    "asset.ETH.price={process='constant', shock=[{at_s=300, factor=0.7, ramp_s=300}]}",
    "population.borrowers.health={excess_median=0.2, excess_sigma=0.6, min=1.05, max=3}",
    "population.borrowers.count=20",
    "population.borrowers.size.sampling=random",
)


def small():
    return load_scenario("calm", SMALL)


@pytest.fixture(scope="module")
def comparison():
    return compare(small(), ["full-close", "price-breaker"], [1, 2, 3])


def test_the_baseline_is_the_plain_run_of_each_seed(comparison):
    digests = {t.seed: t.digest for t in comparison.trials if t.name == BASELINE}
    assert digests == {seed: run(small(), seed).summary["digest"] for seed in (1, 2, 3)}


def test_differences_are_paired_by_seed(comparison):
    by = {(t.name, t.seed): t.outcome for t in comparison.trials}
    changes = [
        by["full-close", seed].liquidated_usd - by[BASELINE, seed].liquidated_usd
        for seed in (1, 2, 3)
    ]
    interval = comparison.differences["full-close"]["liquidated_usd"]
    assert interval.mean == pytest.approx(sum(changes) / 3)
    assert min(changes) - 1e-6 <= interval.low <= interval.mean <= interval.high
    assert interval.high <= max(changes) + 1e-6


def test_two_processes_give_the_same_table(comparison):
    with local_executor(9, workers=2) as executor:
        again = compare(small(), ["full-close", "price-breaker"], [1, 2, 3], executor=executor)
    assert again == comparison


def test_a_figure_that_some_seed_lacks_is_left_undefined(comparison):
    recovered = [t.outcome.time_to_recover for t in comparison.trials if t.name == BASELINE]
    level = comparison.levels[BASELINE]["time_to_recover"]
    assert (level is None) == (None in recovered)


def test_bootstrap_equals_the_exact_distribution_of_three_values():
    values = [1.0, 2.0, 6.0]
    means = sorted(sum(draw) / 3 for draw in product(values, repeat=3))
    interval = bootstrap_mean(values, name="test")
    # 27 equally likely resamples: the 2.5% and 97.5% points are the least and the largest mean,
    # which each have probability 1/27 = 3.7%
    assert (interval.mean, interval.low, interval.high) == (3.0, means[0], means[-1])


def test_one_seed_has_no_interval():
    assert bootstrap_mean([5.0]) == (5.0, None, None)
    with pytest.raises(ValueError, match="no values"):
        bootstrap_mean([])


def test_the_table_fits_the_terminal_and_names_every_figure(comparison):
    assert max(map(len, comparison_table(comparison, 60).splitlines())) <= 60
    lines = comparison_table(comparison).splitlines()
    assert max(map(len, lines)) <= 80
    # no links, no exchanges, no vaults, and no run recovers
    absent = {"contagion_usd", "winners_loss_usd", "largest_haircut", "vault_loss_usd"}
    assert [comparison.levels[name]["time_to_recover"] for name in comparison.names] == [None] * 3
    absent.add("time_to_recover")
    named = sum(line.startswith("  price-breaker") for line in lines)
    assert named == len(set(FIGURES) - absent)


def test_runs_that_prove_nothing_say_why(comparison):
    scenario = load_scenario("calm", ["clock.blocks=2", "expect=liquidations"])
    quiet = compare(scenario, ["full-close"], [1, 2])
    said = "full-close: 2 of 2 runs prove nothing (vacuous): no feed's price moved"
    assert said in comparison_table(quiet)
    assert {trial["vacuous"] for trial in quiet.as_json()["trials"]} == {"no feed's price moved"}
    assert "prove nothing" not in comparison_table(comparison)


def test_a_remedy_that_moves_losses_is_told_by_the_figures_it_is_judged_by():
    worse, better = Interval(2.0, 1.0, 3.0), Interval(-2.0, -3.0, -1.0)
    cells = {"insolvency_usd": worse, "borrower_loss_usd": better}
    (shift,) = shifts({"remedy": cells})
    assert shift.told == "borrowers lose less, insolvency rises"
    (shift,) = shifts({"remedy": dict(zip(cells, (better, worse), strict=True))})
    assert shift.told == "insolvency falls, borrowers lose more"


def test_the_command_writes_what_it_prints(tmp_path, capsys):
    scenario = tmp_path / "small.toml"
    scenario.write_text(dump_scenario(small()), "utf-8")
    arguments = ["compare", str(scenario), "--mitigations", "full-close", "--json"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "comparison.json").read_text("utf-8"))
    assert set(printed["levels"]) == {BASELINE, "full-close"}


@pytest.mark.parametrize("names", ["", "full-close,", "nowhere", "full-close+nowhere"])
def test_remedies_that_are_not_known_are_refused_in_one_line(names, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["compare", "calm", "--mitigations", names, "--out", str(out)]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "--mitigations" in printed
    assert not out.exists()
