"""Where liquidators' money comes from, and when they leave."""

from __future__ import annotations

import pytest

from harness.run import run
from harness.scenario import Withdrawal


def falling(small, agents, **changes):
    """Two borrowers below 1 after a fall of a tenth, a pool nothing moves."""
    return small.scenario(
        prices=((0, 1000.0), (3, 900.0)),
        positions=((10.0, 7_800.0), (20.0, 15_500.0)),
        pool_base=1e9,
        agents=agents,
        expect="liquidations",
        **changes,
    )


def test_a_flash_loan_replaces_capital(small) -> None:
    """Without a token of its own a liquidator repays and seizes what one with capital does."""
    owned = run(falling(small, (small.liquidator(),)), 1)
    borrowed = run(falling(small, (small.liquidator(capital=(), funding="flash-loan"),)), 1)
    key = [(row.account, row.repaid, row.seized, row.proceeds) for row in owned.run.liquidations]
    assert len(key) == 2
    assert key == [
        (row.account, row.repaid, row.seized, row.proceeds) for row in borrowed.run.liquidations
    ]
    profits = [
        result.summary["liquidations"]["liquidator_profit_usd"] for result in (owned, borrowed)
    ]
    assert profits[0] == profits[1] > 0
    idle = run(
        falling(
            small,
            (small.liquidator(capital=()),),
        ),
        1,
    )
    assert not idle.run.liquidations


def test_the_lenders_fee_comes_off_the_proceeds(small) -> None:
    """A loan at 1% costs each liquidation 1% of what it repaid, rounded up."""
    agents = (small.liquidator(capital=(), funding="flash-loan"),)
    free = run(falling(small, agents), 1).run.liquidations
    paid = run(falling(small, agents, market={"flash_loan_fee_pips": 10_000}), 1).run.liquidations
    for before, after in zip(free, paid, strict=True):
        assert before.repaid == after.repaid
        assert before.proceeds - after.proceeds == -(-after.repaid // 100)


def test_no_loan_is_to_be_had_of_a_market_lent_out(small) -> None:
    """With all cash lent out there is nothing to borrow, and nobody is liquidated."""
    agents = (small.liquidator(capital=(), funding="flash-loan"),)
    scenario = falling(small, agents, debt={"supplied": 23_300.0}, external=None)
    assert not run(scenario, 1).run.liquidations
    own = falling(small, (small.liquidator(),), debt={"supplied": 23_300.0})
    assert len(run(own, 1).run.liquidations) == 2


@pytest.mark.parametrize(("common_bps", "kinds"), [(10_000, {0, 8}), (0, {1, 2, 3, 4, 5, 6, 7})])
def test_liquidators_leave_together_or_each_alone(small, common_bps, kinds) -> None:
    """With one draw for all of them either all or none act in a fall; with a draw each, a part.
    Over 12 seeds both outcomes of a common draw come up."""
    withdrawal = Withdrawal(
        "ETH", fall_bps=500, chance_bps=5000, common_bps=common_bps, absence_s=10**6
    )
    seen = set()
    for seed in range(12):
        agents = (
            small.liquidator(count=8, withdrawal=withdrawal, max_transactions=1, latency_blocks=0),
        )
        result = run(falling(small, agents), seed)
        sent = {row.agent for row in result.run.transactions if row.action == "liquidate"}
        seen.add(len(sent))
    assert seen <= kinds
    assert len(seen) > 1


def test_who_left_comes_back(small) -> None:
    """After the absence liquidators act again, and what they left behind is liquidated."""
    stay = Withdrawal("ETH", fall_bps=500, absence_s=50, window_s=20)
    result = run(falling(small, (small.liquidator(withdrawal=stay),)), 1)
    # gone after block 3, which brings the fall, and back 50 s later, with an order for block 9
    assert {row.block for row in result.run.liquidations} == {9}
    at_once = run(falling(small, (small.liquidator(),)), 1)
    assert {row.block for row in at_once.run.liquidations} == {5}
