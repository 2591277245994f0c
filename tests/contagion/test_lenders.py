"""Lenders of two markets leave both when one has a loss."""

from __future__ import annotations

import dataclasses

import pytest

from harness.cuts import Link
from harness.experiments.contagion import contagion
from harness.metrics.losses import losses
from harness.orders import DECLARED_GAS
from harness.run import run
from harness.scenario import Lender

from .gas import gas_of_withdrawals

SEED = 6


def lent(several):
    """The left market has losses; interest in the right one is steep once its cash is gone."""
    steep = dataclasses.replace(several.market("right"), assets=())
    listed = several.market("right").assets
    rates = {"slope1": 0.0, "slope2": 100.0, "kink": 0.99}
    right = dataclasses.replace(
        steep, assets=(listed[0], dataclasses.replace(listed[1], supplied=2e6, **rates))
    )
    return several.scenario(
        falls=(0.95, 0.6, 0.58, 0.45),
        markets=[several.market("left"), right],
        populations=[
            several.positions("left", [(100.0, 79_000.0)] * 3),
            several.positions("right", [(2500.0, 1_199_000.0), (2000.0, 800_000.0)]),
        ],
        agents=[
            several.liquidator("one", "left"),
            Lender("depositor", ("left", "right"), "USDX", 1e6, bid=several.FREE),
        ],
        blocks=14,
    )


def test_a_loss_in_one_market_empties_the_other(several):
    result = run(lent(several), SEED)
    left = [
        row.agent
        for row in result.run.transactions
        if (row.action, row.status) == ("withdraw", "succeeded")
    ]
    assert "depositor@left" in left
    assert "depositor@right" in left
    usdx = result.run.blocks[-1].venues["right"].states[1]
    assert usdx.total_debt * 10_000 > 9_900 * (usdx.cash + usdx.total_debt)
    deficit = [block.index for block in result.run.blocks if block.venues["left"].bad_debt]
    gone = [
        row.block
        for row in result.run.transactions
        if row.agent == "depositor@right" and row.status == "succeeded"
    ]
    assert min(gone) > min(deficit)


def test_lenders_carry_loss_from_one_market_to_the_other(several):
    found = contagion(run(lent(several), SEED))
    assert [link.venue for link in found.links if link.channel == "lender"] == ["left", "right"]
    assert found.entry(Link("left", "lender"), "right") > 0


def test_who_left_in_time_loses_nothing_and_the_ledger_balances(several):
    result = run(lent(several), SEED)
    rows = losses(result)
    for asset in result.world.tokens:
        assert sum(row.amount for row in rows if row.asset == asset) == 0
    assert not [row for row in rows if row.role == "depositor" and row.amount < 0]
    assert sum(row.usd for row in rows if (row.venue, row.role) == ("left", "suppliers")) < 0


@pytest.mark.slow
def test_declared_gas_covers_leaving(several):
    used = gas_of_withdrawals(lent(several), SEED)
    assert used
    assert max(used) <= DECLARED_GAS["withdraw"]
