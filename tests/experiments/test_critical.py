"""Critical points: against closed forms, against every run of a grid, and where not monotone."""

from __future__ import annotations

import math

import pytest

from harness.experiments.critical import Critical, find_critical
from harness.experiments.pool import LocalWorkers
from harness.experiments.runner import Runner
from harness.experiments.sweep import Sweep
from harness.experiments.trial import make_trials
from harness.risk.quantiles import quantile_ranks

from .conftest import MakeSweep

LTV, BONUS = 0.80, 0.05
FALL = 'path = "asset.ETH.price.shock[0].factor"\n'


def search(sweep: Sweep, runner: Runner | None = None) -> Critical:
    assert sweep.search is not None
    with runner or Runner() as ready:
        (found,), _ = find_critical(sweep, sweep.search, ready)
    return found


@pytest.mark.parametrize(("ltv", "bonus_bps"), [(0.80, 500), (0.75, 1000)])
def test_a_single_jump_ruins_at_the_loss_frontier(
    ltv: float, bonus_bps: int, sweep_of: MakeSweep
) -> None:
    """One jump, a feed that follows at once, full repayment: bad debt from 1 - (1 + b) LTV on."""
    found = search(
        sweep_of(
            'scenario = "single-pair.toml"\n'
            f"[search]\nkind = 'shock'\n{FALL}low = 0.02\nhigh = 0.4\n"
            "tolerance = 0.0002\nabove_bps = 0\ngrid = 4",
            f"venue.market.asset.ETH.liquidation_bonus_bps={bonus_bps}",
            f"population.borrower.position[0].borrowed.USDC={2e6 * ltv}",
        )
    )
    frontier = 1 - (1 + bonus_bps / 10_000) * ltv
    ((_, solvent, insolvent),) = found.brackets
    assert solvent is not None
    assert insolvent is not None
    assert solvent <= frontier < insolvent
    assert insolvent - solvent <= 0.0002
    assert found.value == insolvent
    assert found.monotone
    assert found.runs < 20 < 1900 < found.grid_runs


def test_a_single_rise_ruins_a_short_at_its_frontier(sweep_of: MakeSweep) -> None:
    """Debt in the volatile asset: bad debt from a rise of 1/((1 + b) LTV) - 1 on."""
    found = search(
        sweep_of(
            'scenario = "single-pair.toml"\n'
            "[search]\nkind = 'shock'\nlow = 0.02\nhigh = 0.5\ntolerance = 0.0002\nabove_bps = 0\n"
            "[[search.set]]\npath = 'asset.ETH.price.shock[0].factor'\nplus = 1",
            "venue.market.asset.USDC.ltv_bps=8000",
            "venue.market.asset.USDC.liquidation_threshold_bps=8300",
            "venue.market.asset.USDC.liquidation_bonus_bps=500",
            "venue.market.asset.ETH={symbol='ETH', supplied=5000, base_rate=0, slope1=0, slope2=0}",
            "population.borrower.position=[{supplied={USDC=2_000_000}, borrowed={ETH=800}}]",
            "agent.liquidator.capital={ETH=5000}",
        )
    )
    frontier = 1 / ((1 + BONUS) * LTV) - 1
    ((_, solvent, insolvent),) = found.brackets
    assert solvent is not None
    assert insolvent is not None
    assert solvent <= frontier < insolvent <= solvent + 0.0002


STEPS = (
    "clock.blocks=80",
    "asset.ETH.feed={kind='push', deviation_bps=10000, heartbeat_s=3600}",
    "asset.ETH.price={process='constant', shock=[{at_s=600, factor=0.85}, {at_s=660, factor=0.8}]}",
)


def test_a_chance_that_is_not_monotone_is_reported(sweep_of: MakeSweep) -> None:
    """Between two falls a minute apart, whether a report comes in time is a matter of its beat."""
    found = search(
        sweep_of(
            'scenario = "single-pair.toml"\n[search]\nkind = "oracle-age"\n'
            'path = "asset.ETH.feed.heartbeat_s"\nlow = 200\nhigh = 350\ngrid = 4',
            *STEPS,
        )
    )
    insolvent = {value: count for value, count, _ in found.chances}
    assert insolvent == {200: 0, 250: 1, 300: 0, 350: 1}
    assert not found.monotone
    assert found.exceptions == ((0, 250.0, 300.0),)
    ((_, good, bad),) = found.brackets
    assert good is not None
    assert found.value == bad == good + 1, "whole seconds, bisected to the second"


DEPTH = """
scenario = "../cli/crash.toml"
seeds = 8
set = ["population.borrowers.size.sampling=random", "clock.blocks=24",
  "asset.ETH.price.shock=[{at_s=60, factor=0.75, ramp_s=60}]"]
[search]
kind = "liquidator-latency"
path = "agent.liquidator.latency_blocks"
low = 0
high = 6
above_bps = 20
grid = 3
"""


@pytest.mark.slow
def test_the_bisection_finds_what_every_run_of_the_grid_says(sweep_of: MakeSweep) -> None:
    sweep = sweep_of(DEPTH)
    assert sweep.search is not None
    found = search(sweep, Runner(LocalWorkers(2)))
    insolvent: dict[int, list[bool]] = {}
    with Runner(LocalWorkers(2)) as runner:
        for latency in range(7):
            scenario = sweep.scenario_at([f"agent.liquidator.latency_blocks={latency}"])
            rows = runner.run(make_trials(scenario, sweep.seeds))
            insolvent[latency] = [(row.figures["insolvency_bps"] or 0) > 20 for row in rows]
    for seed, good, bad in found.brackets:
        if good is not None:
            assert not insolvent[int(good)][seed]
        if bad is not None:
            assert insolvent[int(bad)][seed]
        if good is not None and bad is not None:
            assert bad == good + 1
    assert {bad for _, _, bad in found.brackets} != {None}
    if found.monotone:
        likely = [latency for latency in range(7) if sum(insolvent[latency]) >= 4]
        assert found.value == (min(likely) if likely else None)


def test_seeds_give_the_quantile_and_its_interval(sweep_of: MakeSweep) -> None:
    sweep = sweep_of(
        f"scenario = 'single-pair.toml'\nseeds = 6\n"
        f"[search]\nkind = 'shock'\n{FALL}low = 0.1\nhigh = 0.7\ntolerance = 0.05\ngrid = 2",
        "population=[{kind='borrowers', name='b', venue='market', count=5, collateral='ETH', "
        "debt='USDC', health={excess_median=0.3, excess_sigma=0.5}, "
        "size={total_debt_usd=1e6, sigma=1}}]",
    )
    found = search(sweep)
    turns = sorted(math.inf if bad is None else bad for _, _, bad in found.brackets)
    goods = sorted(math.inf if good is None else good for _, good, _ in found.brackets)
    assert found.value == turns[2], "the third of six seeds makes it half of them"
    assert (found.low, found.high) == (goods[0], turns[5]), "n = 6: the least and the largest"
    assert len({bad for _, _, bad in found.brackets}) > 1
    assert found.runs == 6 * (2 + 4), "a range of 0.6 is halved four times to within 0.05"


def test_thinner_is_worse_for_a_pool(sweep_of: MakeSweep) -> None:
    """Where seized collateral cannot be sold, nobody liquidates before the second fall."""
    found = search(
        sweep_of(
            "scenario = 'single-pair.toml'\n[search]\n"
            "kind = 'pool-depth'\npath = 'venue.eth-usdc.base_reserve'\n"
            "low = 100\nhigh = 1e6\nspacing = 'log'\ntolerance = 0.2\ngrid = 3",
            "asset.ETH.price.shock=[{at_s=48, factor=0.85}, {at_s=96, factor=0.8}]",
        )
    )
    assert [value for value, _, _ in found.chances] == pytest.approx([1e6, 1e4, 1e2])
    ((_, good, bad),) = found.brackets
    assert good is not None
    assert bad is not None
    assert bad < good <= bad * 1.2


def test_a_holder_s_share_moves_debt_from_the_others(sweep_of: MakeSweep) -> None:
    sweep = sweep_of(
        'scenario = "../cli/crash.toml"\n[search]\nkind = "concentration"\nlow = 0.1\nhigh = 0.9\n'
        "grid = 2\ntolerance = 1\n"
        '[[search.set]]\npath = "population.borrowers.size.total_debt_usd"\n'
        'times = -4e6\nplus = 4e6\n[[search.set]]\npath = "population.whale.size.total_debt_usd"\n'
        "times = 4e6",
        "clock.blocks=8",
        "population=[{kind='borrowers', name='borrowers', venue='market', count=20, "
        "collateral='ETH', debt='USDC', health={excess_median=0.25, excess_sigma=0.5}, "
        "size={total_debt_usd=4e6, sigma=1.0}}, {kind='borrowers', name='whale', venue='market', "
        "count=1, collateral='ETH', debt='USDC', health={excess_median=0.25, excess_sigma=0.5}, "
        "size={total_debt_usd=1, sigma=0}}]",
    )
    assert sweep.search is not None
    with Runner() as runner:
        _, groups = find_critical(sweep, sweep.search, runner)
    shares = [group.rows[0].figures["largest_debt_share"] for group in groups]
    assert shares[-1] == pytest.approx(0.9, abs=1e-6)


def test_a_range_that_never_ruins_says_so(sweep_of: MakeSweep) -> None:
    text = f'scenario = "single-pair.toml"\n[search]\nkind = "shock"\n{FALL}above_bps = 0\n'
    mild = search(sweep_of(text + "low = 0.01\nhigh = 0.15\ngrid = 3"))
    assert (mild.value, mild.runs) == (None, 3)
    harsh = search(sweep_of(text + "low = 0.17\nhigh = 0.5\ngrid = 3"))
    assert (harsh.value, harsh.reached_at_once, harsh.low) == (0.17, True, None)


def test_a_trial_that_fails_leaves_its_seed_undecided(sweep_of: MakeSweep) -> None:
    found = search(
        sweep_of(
            'scenario = "single-pair.toml"\n[search]\nkind = "value"\nworse = "larger"\n'
            'path = "venue.market.asset.ETH.ltv_bps"\nlow = 8000\nhigh = 8400\ngrid = 3'
        )
    )
    assert found.undecided == (0,)
    assert found.value is None


@pytest.mark.parametrize("count", [1, 5, 6, 20, 75])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_ranks_bound_the_quantile_as_the_binomial_says(count: int, share: float) -> None:
    """Exact binomial sums, against which the ranks are the narrowest that keep each tail."""

    def fewer_than(rank: int) -> float:
        odds = [
            math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(max(0, rank))
        ]
        return math.fsum(odds)

    low, high = quantile_ranks(count, share)
    fitting = [rank for rank in range(1, count + 1) if fewer_than(rank) <= 0.025]
    assert low == (max(fitting) if fitting else None)
    beyond = [rank for rank in range(1, count + 1) if 1 - fewer_than(rank) <= 0.025]
    assert high == (min(beyond) if beyond else None)
