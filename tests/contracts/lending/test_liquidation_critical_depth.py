"""A cascade on a pool whose spot price is the oracle, against its exact solution.

Many small positions whose thresholds lie uniformly in log price, G collateral units per unit of
log price; no pool fee, no interest, no protocol share; each is closed in full through the executor
and everything seized is sold. With x the pool's base reserve after a shock delta and
k = LT (1 + b), a liquidation takes (1+b) D out of the pool's quote reserve whatever the price it
happens at, so a fall s solves

    exp(-(s - delta)/2) = 1 - (kG/x) exp(delta) (1 - exp(-s)),

and the first generation alone falls by r = -2 ln(1 - (kG/x)(exp(delta) - 1)), whose slope at 0 is
the branching ratio 2kG/x.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.accounts import account
from harness.errors import Reverted

WAD = 10**18
MAX = (1 << 256) - 1
G = 100_000
THRESHOLD, BONUS = 8_000, 1_000
K = 0.88


class Cascade:
    """A market with `count` positions `spacing` apart in log price below a price of 1."""

    def __init__(self, chain: Any, make_rig: Any, count: int, spacing: float) -> None:
        self.chain, self.spacing, self.count = chain, spacing, count
        self.rig = rig = make_rig()
        rig.list("USD", 10**18, feed_decimals=18, ltv=THRESHOLD, threshold=THRESHOLD, bonus=BONUS)
        admin = account("admin").address
        self.router = chain.deploy("ForcedTradeRouter", admin)
        self.executor = chain.deploy("LiquidationExecutor", self.router.address)
        self.usd, self.col = rig.tokens["USD"], chain.token("COL")
        self.collateral = round(G * spacing * WAD)
        self.open_pool(G)
        rig.list(
            "COL",
            0,
            token=self.col,
            feed=self.feed,
            ltv=THRESHOLD,
            threshold=THRESHOLD,
            bonus=BONUS,
        )
        rig.supply("supplier", "USD", 10 * G * WAD)
        self.names = [f"borrower-{i}" for i in range(count)]
        seeder = account("seeder").address
        chain.mint(self.col, seeder, self.collateral * count)
        chain.approve(seeder, self.col, rig.market)
        for i, name in enumerate(self.names):
            owner = account(name).address
            threshold_price = math.exp(-(i + 0.5) * spacing)
            debt = int(self.collateral * THRESHOLD // 10_000 * threshold_price)
            rig.send("seeder", "supply", self.col.address, self.collateral, owner)
            rig.send(name, "borrow", self.usd.address, debt, owner, owner)
        self.liquidator = account("liquidator").address
        chain.mint(self.usd, self.liquidator, 10 * G * WAD)
        chain.approve(self.liquidator, self.usd, self.executor)

    def open_pool(self, base: float) -> None:
        """A fresh pool of this depth at a price of 1, which becomes market and oracle."""
        reserve = round(base * WAD)
        self.pool = self.chain.pool(self.col, self.usd, reserve, reserve, 0)
        self.feed = self.chain.deploy(
            "PoolSpotFeed",
            self.pool.address,
            self.col.address,
            self.rig.feeds["USD"].address,
            18,
            "COL",
        )
        admin = account("admin").address
        self.chain.send(
            admin, self.router, "setPool", self.col.address, self.usd.address, self.pool.address
        )
        if "COL" in self.rig.tokens:
            self.rig.configure("COL", feed=self.feed.address)

    def shock(self, x: float, delta: float) -> float:
        """A pool with x of the base after a sale that lowers the log price by delta; that fall."""
        self.open_pool(x * math.exp(-delta / 2))
        before, _ = self.chain.reserves(self.pool)
        sold = round(x * WAD) - before
        self.chain.mint(self.col, self.pool.address, sold)
        out = self.chain.read(self.pool, "getAmountOut", self.col.address, sold)
        self.chain.send(self.liquidator, self.pool, "swap", 0, out, account("whale").address, b"")
        return self.fall()

    def fall(self) -> float:
        """How far the log price is below 0."""
        base, quote = self.chain.reserves(self.pool)
        return math.log(base) - math.log(quote)

    def liquidate(self, first: int, last: int) -> int:
        """Liquidate borrowers from `first` on, one a block, until one is healthy; how many were."""
        for i in range(first, last):
            try:
                self.chain.send(
                    self.liquidator,
                    self.executor,
                    "liquidate",
                    self.rig.market.address,
                    account(self.names[i]).address,
                    self.col.address,
                    self.usd.address,
                    MAX,
                    0,
                )
            except Reverted as error:
                if not str(error).startswith("Healthy("):
                    raise
                return i - first
        return last - first


def solve(x: float, delta: float) -> float:
    """The first root s >= delta, by bisection."""

    def gap(s: float) -> float:
        return math.exp(-(s - delta) / 2) - 1 + K * G / x * math.exp(delta) * (1 - math.exp(-s))

    low, high = delta, delta
    while gap(high) > 0:
        high += delta
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(middle) > 0 else (low, middle)
    return low


def test_finite_fall_matches_the_exact_equation(chain: Any, make_rig: Any) -> None:
    """At k = .88, G = 100,000, delta = .02, x = 352,000 the fall is .0402.

    Discrete positions: the last one liquidated is known to half a spacing, and each sale of q gives
    q/x less than the spot price, a relative error of q/x in the endogenous fall; both are amplified
    by 1/(1 - n) <= 2.1 here.
    """
    x, delta, spacing = 352_000.0, 0.02, 2.5e-5
    exact = solve(x, delta)
    assert round(exact, 4) == 0.0402
    cascade = Cascade(chain, make_rig, 1_700, spacing)
    assert cascade.shock(x, delta) == pytest.approx(delta, abs=1e-12)
    count = cascade.liquidate(0, 1_700)
    assert count < 1_700
    found = cascade.fall()
    sale = G * spacing * K * math.exp(exact) / x
    assert found == pytest.approx(exact, abs=2.1 * (spacing / 2 + exact * sale))
    assert round(found, 4) == 0.0402
    assert count == pytest.approx(found / spacing, abs=1)
    cascade.rig.assert_books_balance()


def test_initial_slope_crosses_one_at_the_critical_depth(chain: Any, make_rig: Any) -> None:
    """The first generation's fall over the shock's is 1 at x* = 2kG, at delta = .001.

    Terms of order delta are kept in the closed form; discreteness adds q/x, 5e-6 here, and the
    feed's rounding less than 1e-15.
    """
    delta, count = 0.001, 100
    spacing = delta / count
    cascade = Cascade(chain, make_rig, count, spacing)
    critical = 2 * K * G
    slopes = {}
    for depth in (0.8, 0.95, 1.0, 1.05, 1.25):
        x = depth * critical
        with cascade.rig.undone():
            fell = cascade.shock(x, delta)
            assert fell == pytest.approx(delta, abs=1e-12)
            assert cascade.liquidate(0, count) == count
            slopes[depth] = (cascade.fall() - fell) / delta
        exact = -2 * math.log(1 - K * G / x * (math.exp(delta) - 1)) / delta
        assert slopes[depth] == pytest.approx(exact, rel=2e-5)
    # n = a/x: the depth where it is 1, from either side of the crossing.
    below, above = slopes[0.95], slopes[1.05]
    assert below > 1 > above
    share = (below - 1) / (below - above)
    crossing = 1 / (1 / 0.95 + share * (1 / 1.05 - 1 / 0.95))
    assert crossing == pytest.approx(1, abs=1.2 * delta)
