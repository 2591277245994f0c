"""Whether a liquidation heals or harms where its own sale sets the oracle's price.

All that a step seizes is sold into the constant-product pool whose spot is the oracle. With b the
bonus, l the raw loan-to-value, c the value of the collateral and y the pool's quote reserve,
repaying a share f leaves

    l' = l (1 - f) (1 + (1 + b) f l c / y)^2 / (1 - (1 + b) f l),

so the step harms iff 1 - (1 + b) f l < (1 - f) (1 + (1 + b) f l c / y)^2; for f towards 0 iff
l > 1 / ((1 + b) (1 + 2 c / y)) (Warmuz, Chaudhary and Pinna 2022, arXiv 2212.07306, and its finite
form).
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account

WAD = 10**18
COLLATERAL = 1_000 * WAD


class Market:
    """One borrower whose collateral trades, at a price of 1, in the pool that is its oracle."""

    def __init__(self, chain: Any, make_rig: Any, bonus_bps: int, reserve: int) -> None:
        self.chain = chain
        self.rig = rig = make_rig()
        rig.list("USD", 10**18, feed_decimals=18)
        self.col = chain.token("COL")
        self.pool = chain.pool(self.col, rig.tokens["USD"], reserve, reserve, 0)
        feed = chain.deploy(
            "PoolSpotFeed",
            self.pool.address,
            self.col.address,
            rig.feeds["USD"].address,
            18,
            "COL",
        )
        rig.list("COL", 0, token=self.col, feed=feed, ltv=9_990, threshold=9_990, bonus=bonus_bps)
        admin = account("admin").address
        router = chain.deploy("ForcedTradeRouter", admin)
        usd = rig.tokens["USD"].address
        chain.send(admin, router, "setPool", self.col.address, usd, self.pool.address)
        self.executor = chain.deploy("LiquidationExecutor", router.address)
        rig.supply("supplier", "USD", 10 * COLLATERAL)
        rig.supply("borrower", "COL", COLLATERAL)
        self.liquidator = account("liquidator").address
        chain.mint(rig.tokens["USD"], self.liquidator, 10 * COLLATERAL)
        chain.approve(self.liquidator, rig.tokens["USD"], self.executor)

    def loan_to_value(self) -> float:
        """The borrower's debt over its collateral at the pool's price."""
        base, quote = self.chain.reserves(self.pool)
        claims = self.rig.claims_of("borrower", "COL")
        return self.rig.debt_of("borrower", "USD") * base / (claims * quote)

    def step(self, loan_to_value: float, share: float) -> float:
        """What a liquidation that repays this share of the debt multiplies the loan-to-value by."""
        rig, usd = self.rig, self.rig.tokens["USD"].address
        with rig.undone():
            rig.borrow("borrower", "USD", int(COLLATERAL * loan_to_value))
            rig.configure("COL", ltv=1, threshold=1)  # liquidatable whatever it owes
            before = self.loan_to_value()
            debt = rig.debt_of("borrower", "USD")
            self.chain.send(
                self.liquidator,
                self.executor,
                "liquidate",
                rig.market.address,
                account("borrower").address,
                self.col.address,
                usd,
                int(debt * share),
                0,
            )
            return self.loan_to_value() / before


def predicted(bonus: float, loan_to_value: float, share: float, worth: float) -> float:
    """The multiple in closed form; ``worth`` is c / y."""
    taken = (1 + bonus) * share * loan_to_value
    return (1 - share) * (1 + taken * worth) ** 2 / (1 - taken)


@pytest.mark.parametrize(("bonus_bps", "worth"), [(500, 0.01), (1_000, 0.02)])
def test_finite_steps_move_the_loan_to_value_as_the_closed_form_says(
    chain: Any, make_rig: Any, bonus_bps: int, worth: float
) -> None:
    """For every share and loan-to-value the sign is the bound's and the size its closed form. A
    step whose sale costs more than the bonus earns is unprofitable, so depths are such that the
    executor goes through with it."""
    market = Market(chain, make_rig, bonus_bps, round(COLLATERAL / worth))
    sides = set()
    for percent in (30, 60, 85, 91, 94, 96, 98):
        for share in (0.01, 0.25, 0.5, 0.9):
            expected = predicted(bonus_bps / 10_000, percent / 100, share, worth)
            # base units of 1e-18 of a token, amounts of 1e20 and more: rounding is below 1e-15
            assert market.step(percent / 100, share) == pytest.approx(expected, rel=1e-12)
            sides.add(expected > 1)
    assert sides == {False, True}


@pytest.mark.parametrize("bonus_bps", [500, 1_000, 1_500])
@pytest.mark.parametrize("worth", [0.02, 0.1])
def test_the_smallest_step_turns_toxic_at_the_bound(
    chain: Any, make_rig: Any, bonus_bps: int, worth: float
) -> None:
    """A thousandth on each side of 1 / ((1 + b)(1 + 2c/y)) heals and harms, and a market of
    unlimited depth would have healed both."""
    bonus = bonus_bps / 10_000
    bound = 1 / ((1 + bonus) * (1 + 2 * worth))
    market = Market(chain, make_rig, bonus_bps, round(COLLATERAL / worth))
    # second-order terms are of the size of the share, well below a thousandth
    assert market.step(bound * 0.999, 1e-6) < 1
    assert market.step(bound * 1.001, 1e-6) > 1
    assert bound * 1.001 < 1 / (1 + bonus)
