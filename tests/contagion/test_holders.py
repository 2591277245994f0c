"""Holders with positions in two markets move collateral to the one that calls them."""

from __future__ import annotations

import pytest

from harness.agents.holder import MOVE, WITHDRAW_GAS
from harness.cuts import Link
from harness.errors import ScenarioError
from harness.experiments.contagion import contagion
from harness.run import run
from harness.scenario import Response

from .gas import gas_of_withdrawals

SEED = 5
MOVES = Response(move_bps=10_000, call_health_factor=1.1, target_health_factor=1.2, fee_deposit=10)


def stretched(several, **changes):
    """The same four holders: close to liquidation on the left, with collateral to spare on the
    right; the price then stays where it is for long enough to answer, and falls on."""
    rows = [(100.0, round(100 * 800 / (1.02 + 0.02 * i), 2)) for i in range(4)]
    given = {
        "falls": (0.99, 0.99, 0.99, 0.99, 0.9, 0.85, 0.8, 0.7, 0.6),
        "markets": [several.market("left"), several.market("right")],
        "populations": [
            several.positions("left", rows, response=MOVES),
            several.positions("right", [(100.0, 40_000.0)] * 4, holders="left-holders"),
        ],
        "agents": [several.liquidator("one", "left"), several.liquidator("two", "right")],
        "blocks": 14,
        **changes,
    }
    return several.scenario(**given)


def test_a_call_is_met_with_collateral_from_the_other_market(several):
    result = run(stretched(several), SEED)
    sent = [
        (row.action, row.status) for row in result.run.transactions if row.agent == "holders-left"
    ]
    assert (MOVE, "succeeded") in sent
    assert ("top_up", "succeeded") in sent
    assert result.summary["margin_calls"]["met"] > 0
    before, after = (
        sum(word >> 128 for word in census["right"].balances[::2])
        for census in (result.run.opening, result.run.closing)
    )
    assert after < before
    moved = sum(r.action == MOVE and r.status == "succeeded" for r in result.run.transactions)
    assert moved >= 4


def test_what_is_left_behind_stays_at_its_target(several):
    """In calm prices the other position is left at its own target health factor, not below."""
    result = run(stretched(several, falls=(), blocks=8, expect="quiet"), SEED)
    left = result.run.closing["left"].health
    right = result.run.closing["right"].health
    assert min(right) >= MOVES.target_health_factor * 10**18
    assert min(left) >= 119 * 10**16
    assert min(result.run.opening["left"].health) < 103 * 10**16


def test_moving_collateral_carries_loss_from_one_market_to_the_other(several):
    found = contagion(run(stretched(several), SEED))
    assert [link.venue for link in found.links if link.channel == "holder"] == ["left", "right"]
    # what left the right market in time is missing there when prices go on falling
    assert found.entry(Link("left", "holder"), "right") > 0


def test_holders_that_are_not_there_are_refused(several):
    with pytest.raises(ScenarioError, match=r"population\[1\].holders"):
        stretched(
            several,
            populations=[
                several.positions("left", [(1.0, 100.0)]),
                several.positions("right", [(1.0, 100.0)], holders="nobody"),
            ],
        )


@pytest.mark.slow
def test_declared_gas_covers_a_withdrawal(several):
    used = gas_of_withdrawals(stretched(several), SEED)
    assert used
    assert max(used) <= WITHDRAW_GAS <= max(used) + 60_000
