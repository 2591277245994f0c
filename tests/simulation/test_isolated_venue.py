"""An isolated market in a scenario: its formula liquidates, its suppliers bear what is left."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest

from harness.errors import ScenarioError
from harness.run import run
from harness.scenario import IsolatedLending, PooledLending, Response, Scenario, checked
from harness.setup import Setup
from harness.testing.isolated_invariants import ISOLATED_INVARIANTS

WAD = 10**18
USDX = 10**6


def isolated(scenario: Scenario, lltv_bps: int = 8600, **changes: object) -> Scenario:
    """The scenario with an isolated market in the place of its pooled one."""
    free = {"base_rate": 0.0, "slope1": 0.0, "slope2": 0.0, "supplied": 1e9}
    venues = tuple(
        IsolatedLending(venue.name, "ETH", "USDX", lltv_bps, **{**free, **changes})  # type: ignore[arg-type]
        if isinstance(venue, PooledLending)
        else venue
        for venue in scenario.venues
    )
    return checked(dataclasses.replace(scenario, venues=venues))


def falling(small, end: float, borrowed: float, **changes):
    """One borrower of 10 ETH at 1,000 USD, a fall in one block, a pool nothing moves."""
    return small.scenario(
        prices=((0, 1000.0), (4, end)),
        positions=((10.0, borrowed),),
        pool_base=1e9,
        agents=(small.liquidator(),),
        expect="liquidations",
        **changes,
    )


@pytest.mark.parametrize(("lltv_bps", "gap"), [(8600, 0.1023), (9150, 0.0611), (9450, 0.0391)])
def test_bad_debt_starts_where_the_published_gap_ends(small, lltv_bps, gap) -> None:
    """From the largest debt at the LLTV, bad debt begins at a fall of 1 - LLTV x incentive factor
    (10.23, 6.11 and 3.91% for Morpho Blue's three LLTVs), not a hair before."""
    lltv = Fraction(lltv_bps, 10_000)
    factor = 1 / (1 - Fraction(3, 10) * (1 - lltv))
    assert float(1 - lltv * factor) == pytest.approx(gap, abs=5e-5)
    for nudge, lost in ((Fraction(1, 10**5), False), (Fraction(-1, 10**5), True)):
        price = round(float(1000 * (lltv * factor + nudge)), 8)
        # liquidation needs a debt above the LLTV's limit at the new price only
        scenario = isolated(falling(small, price, float(10_000 * lltv) - 1e-6), lltv_bps)
        result = run(scenario, 1)
        assert [row.wave for row in result.run.liquidations] == [0]
        assert bool(result.run.bad_debts) is lost
        assert all(result.summary["checks"]["invariants"].values())


def test_suppliers_bear_at_once_what_no_collateral_is_left_for(small) -> None:
    """Debt less collateral / incentive factor, exactly, is off the suppliers' total, and neither a
    deficit nor reserves show it."""
    result = run(isolated(falling(small, 800.0, 8_500.0)), 1)
    (row,) = result.run.liquidations
    factor = WAD * WAD // (WAD - 3 * 10**17 * 14 // 100)
    worth = 8_000 * USDX
    repaid = -(-worth * WAD // factor)
    assert (row.repaid, row.seized) == (repaid, 10 * WAD)
    (bad,) = result.run.bad_debts
    assert bad.amount == 8_500 * USDX - repaid
    debt = result.run.blocks[-1].venues["market"].states[1]
    assert debt.total_claims == 10**9 * USDX - bad.amount
    solvency = result.summary["solvency"]
    assert solvency["deficit_usd"] == 0
    assert solvency["socialized_loss_usd"] == solvency["bad_debt_usd"] == bad.amount / USDX
    assert solvency["by_venue"]["market"]["carried_by_suppliers_usd"] == bad.amount / USDX
    assert set(result.summary["checks"]["invariants"]) == {*ISOLATED_INVARIANTS, "TOK-1"}


def test_called_holders_top_up_and_reduce_in_an_isolated_market(small) -> None:
    """Both kinds of answer succeed and leave the accounts at the health factor aimed at."""
    answers = {}
    for kind in ("top_up_bps", "deleverage_bps"):
        response = Response(
            **{kind: 10_000}, call_health_factor=1.16, target_health_factor=1.17, cash_bps=5000
        )
        scenario = small.scenario(
            positions=((10.0, 7_500.0),),
            response=response,
            pool_base=1e9,
        )
        result = run(isolated(scenario), 1)
        answers[kind] = result.summary["margin_calls"]
        health = result.run.closing["market"].health[0] / WAD
        assert health == pytest.approx(1.17, abs=1e-6)  # a sale moves the pool a little
        assert all(result.summary["checks"]["invariants"].values())
    assert answers["top_up_bps"]["met"] == answers["deleverage_bps"]["reduced"] == 1


def test_the_same_history_on_every_engine(small) -> None:
    """Run and twin of a fall with bad debt end in the same digest on revm and py-evm."""
    scenario = isolated(falling(small, 850.0, 8_500.0, blocks=8), base_rate=0.05, fee_bps=1000)
    digests = {run(scenario, 3, engine).summary["digest"] for engine in (None, "py-evm")}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("mutant", "caught"),
    [
        ("IsolatedForgetsBadDebt", "ISO-1"),
        ("IsolatedOverpays", "ISO-5"),
    ],
)
def test_a_planted_bug_breaks_its_invariant_in_a_run(small, monkeypatch, mutant, caught) -> None:
    """The market with a bug in it is told apart from the right one by what a run checks."""
    deploy = Setup.deploy

    def planted(self, name, *args, **named):
        return deploy(self, mutant if name == "IsolatedMarket" else name, *args, **named)

    monkeypatch.setattr(Setup, "deploy", planted)
    result = run(isolated(falling(small, 800.0, 8_500.0)), 1)
    assert not result.summary["checks"]["invariants"][caught]
    assert any(text.startswith(caught) for text in result.summary["warnings"])


def test_positions_hold_the_collateral_and_owe_the_debt_only(small) -> None:
    """A position in anything else is refused with its place."""
    scenario = small.scenario(positions=((10.0, 5_000.0),), gold_usd=100.0)
    rows = scenario.populations[0].positions
    swapped = dataclasses.replace(rows[0], supplied=(("USDX", 10.0),))
    population = dataclasses.replace(scenario.populations[0], positions=(swapped,))
    with pytest.raises(ScenarioError, match=r"supplied\.USDX"):
        isolated(dataclasses.replace(scenario, populations=(population,)))
