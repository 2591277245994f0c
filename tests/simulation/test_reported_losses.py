"""Scenarios of events beside what was reported of them, and beside the record where it is there."""

from __future__ import annotations

import csv
import gzip
import os
from itertools import pairwise
from pathlib import Path

import pytest

from harness.metrics.summary import twin_figures
from harness.mitigations import remedied
from harness.run import run
from harness.scenario import Positions, load_scenario

REAL_FILES = os.environ.get("LIQUIDATION_HARNESS_DATA", "")
WAD = 10**18


@pytest.fixture(scope="module")
def squeeze():
    return run(load_scenario("toxic-spiral"), 7)


@pytest.mark.slow
def test_the_reported_bad_debt_lies_between_the_squeeze_with_and_without_feedback(squeeze) -> None:
    """CRV, 22 November 2022: 1.6 to 1.8 million USD were reported. The replayed price holds the
    liquidations' own purchases, so that feedback counts them twice and its absence once."""
    with_feedback = squeeze.summary["solvency"]["insolvency_usd"]
    without = twin_figures(squeeze.twin, squeeze.world).insolvency_usd
    assert without <= 1.6e6 < 1.8e6 <= with_feedback
    assert squeeze.summary["solvency"]["by_venue"]["aave-v2"]["carried_by_suppliers_usd"] > 0


@pytest.mark.slow
def test_past_the_frontier_each_liquidation_leaves_the_account_worse(squeeze) -> None:
    """At a bonus of 4.5% the frontier is a debt of 1 / 1.045 of the collateral's value: from there
    on a liquidation at an unchanged price lowers the health factor, before it raises it."""
    below = above = 0
    rows = squeeze.run.liquidations
    frontier = 0.88 * 1.045
    for row, after in pairwise(rows):
        if row.prices != after.prices:
            continue
        if row.health_factor / WAD < frontier:
            assert after.health_factor < row.health_factor
            below += 1
        else:
            assert after.health_factor >= row.health_factor
            above += 1
    assert below > 100
    assert above > 10


@pytest.fixture(scope="module")
def auctions():
    return run(load_scenario("zero-bid-auctions"), 7)


@pytest.mark.slow
def test_stalled_keepers_let_lots_go_for_nothing(auctions) -> None:
    """Maker, 12-13 March 2020: 4.5 to 6.65 million DAI of debt were not covered, and 8.32 million
    USD of ETH went for nothing. The model has more of both, by less than a factor of two."""
    nothing = [sale for sale in auctions.run.sales if sale.paid < WAD]
    assert len(nothing) > 1_000
    lost = sum(bad.amount for bad in auctions.run.bad_debts) / WAD
    given = sum(sale.bought_usd for sale in nothing) / WAD
    assert 6.65e6 < lost < 2 * 6.65e6
    assert 8.32e6 < given < 2 * 8.32e6
    assert all(auctions.summary["checks"]["invariants"].values())


@pytest.mark.slow
def test_with_capital_that_comes_back_at_once_it_is_what_was_reported() -> None:
    """Keepers who sell what they win as soon as they have it: 5.75 million DAI short and 1,135
    auctions for less than a DAI by the record."""
    freed = [f"agent.{name}.hold_s=0" for name in ("keeper", "adaptive-keeper")]
    result = run(load_scenario("zero-bid-auctions", freed), 7)
    lost = sum(bad.amount for bad in result.run.bad_debts) / WAD
    nothing = [sale for sale in result.run.sales if sale.paid < WAD]
    assert 4.5e6 < lost < 6.65e6
    assert len(nothing) == pytest.approx(1_135, rel=0.25)
    assert sum(sale.bought_usd for sale in nothing) / WAD == pytest.approx(8.32e6, rel=0.1)


@pytest.mark.slow
def test_dutch_auctions_would_have_cost_less_than_a_third(auctions) -> None:
    other = run(remedied(auctions.scenario, "dutch-auctions"), 7)
    with_dutch = other.summary["solvency"]["insolvency_usd"]
    assert other.run.liquidations
    assert with_dutch * 3 < auctions.summary["solvency"]["insolvency_usd"]


@pytest.mark.skipif(not REAL_FILES, reason="LIQUIDATION_HARNESS_DATA names no folder of real files")
def test_the_vaults_are_those_of_the_record() -> None:
    """Lots and tabs of the auctions that began before 13 March, 06:00, add up to the positions."""
    name = "liquidations/maker_ETH_A_flip_auctions_941_to_4866.csv.gz"
    with gzip.open(Path(REAL_FILES) / name, "rt") as file:
        rows = [
            {key.strip(): value for key, value in row.items()}
            for row in csv.DictReader(file, skipinitialspace=True)
        ]
    day = [row for row in rows if int(row["kick timestamp"]) < 1_584_079_200]
    scenario = load_scenario("zero-bid-auctions")
    (vaults,) = scenario.populations
    assert isinstance(vaults, Positions)
    owed = sum(amount for row in vaults.positions for _, amount in row.borrowed)
    held = sum(amount for row in vaults.positions for _, amount in row.supplied)
    assert owed == pytest.approx(sum(float(row["tab"]) / 1.13 for row in day), rel=1e-4)
    assert held == pytest.approx(sum(float(row["lot"]) for row in day), rel=1e-4)
    # what was raised and what was not, as recorded: 5.7 million DAI short
    short = sum(max(0.0, float(row["tab"]) / 1.13 - float(row["final bid"])) for row in day)
    assert 4.5e6 < short < 6.65e6
