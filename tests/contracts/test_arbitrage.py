"""Arbitrage: it pays or reverts, and without limits it makes two markets one.

A pool with base reserve x and an external market of depth D at the same price, both without fee and
recovery, act after arbitrage as one constant-product pool of depth x + D.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.contracts import Contract
    from tests.contracts.conftest import Chain

RAY = 10**27
POOL, EXTERNAL = 0, 1


class World:
    """A pool and an external market at 2000 usd, and an arbitrageur who may use the executor."""

    def __init__(
        self,
        chain: Chain,
        decimals: tuple[int, int] = (18, 6),
        pool_depth: int = 1000,
        external_depth: int = 1000,
        fee_pips: int = 0,
    ) -> None:
        self.chain = chain
        self.base_unit: int = 10 ** decimals[0]
        self.usd_unit: int = 10 ** decimals[1]
        self.base, self.usd = chain.token("ETH", decimals[0]), chain.token("USDC", decimals[1])
        self.reserves = (pool_depth * self.base_unit, 2000 * pool_depth * self.usd_unit)
        self.pool = chain.pool(self.base, self.usd, *self.reserves, fee_pips)
        self.depth = external_depth * self.base_unit
        self.market = chain.deploy(
            "ExternalMarket",
            self.base.address,
            self.usd.address,
            chain.address("publisher"),
            self.depth,
            RAY,
            fee_pips,
            2000 * 10**8,
        )
        chain.mint(self.base, self.market.address, 10**12 * self.base_unit)
        chain.mint(self.usd, self.market.address, 10**15 * self.usd_unit)
        self.executor = chain.deploy("ArbitrageExecutor")
        self.router = chain.deploy("SwapRouter")
        self.trader = chain.address("arbitrageur")
        for token in (self.base, self.usd):
            chain.mint(token, self.trader, 10**15 * 10**18)
            chain.approve(self.trader, token, self.executor)
            chain.approve(self.trader, token, self.router)
            chain.approve(self.trader, token, self.market)

    def other(self, token: Contract) -> Contract:
        return self.usd if token is self.base else self.base

    def legs(self, start: Contract, pool_first: bool = True) -> list[tuple[bytes, int, bytes]]:
        """From a token to the other in one market, and back in the other market."""
        venues = [(self.pool.address, POOL), (self.market.address, EXTERNAL)]
        first, second = venues if pool_first else venues[::-1]
        return [(*first, start.address), (*second, self.other(start).address)]

    def arbitrage(self, legs: list[tuple[bytes, int, bytes]], amount: int, profit: int = 0) -> Any:
        return self.chain.send(self.trader, self.executor, "arbitrage", legs, amount, profit)

    def pool_price(self) -> Fraction:
        """Usd wei per base wei."""
        reserve_base, reserve_usd = self.chain.reserves(self.pool)
        return Fraction(reserve_usd, reserve_base)

    def external_price(self) -> Fraction:
        """Usd wei per base wei, from the exact displacement."""
        q = self.chain.read(self.market, "displacement")
        return Fraction(
            2000 * self.usd_unit * self.depth**2, self.base_unit * (self.depth + q) ** 2
        )

    def profit(self, start: Contract, amount: int) -> int:
        """Wei gained on an input, pool first, from the contracts' own quotes; below 0 a loss."""
        bought = self.chain.read(self.pool, "getAmountOut", start.address, amount)
        quote = "quoteSell" if start is self.usd else "quoteBuy"
        return int(self.chain.read(self.market, quote, bought)) - amount


def _prices_cross(world: World, start: Contract) -> int:
    """Largest input that leaves a profit in the next wei, found by trying on the chain."""
    chain = world.chain

    def overshoots(amount: int) -> bool:
        with chain.anchor():
            swap = (world.pool.address, start.address, amount, 0, world.trader)
            receipt = chain.send(world.trader, world.router, "swapExactIn", *swap)
            bought = world.router.decode("swapExactIn", receipt.output or b"")
            side = "sell" if start is world.usd else "buy"
            chain.send(world.trader, world.market, side, bought, 0, world.trader)
            gap = world.external_price() - world.pool_price()
        return gap < 0 if start is world.usd else gap > 0

    low: int = world.reserves[0 if start is world.base else 1] // 10**4
    high = 2 * low
    assert not overshoots(low)
    while not overshoots(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if overshoots(middle) else (middle, high)
    return low


@pytest.mark.parametrize("decimals", [(18, 6), (8, 6), (6, 18), (8, 18)])
@pytest.mark.parametrize(
    ("pool_depth", "external_depth"), [(1000, 1000), (1000, 9000), (5000, 500)]
)
@pytest.mark.parametrize("selling", [True, False])
def test_unlimited_arbitrage_makes_one_pool_of_both_depths(
    chain: Chain,
    decimals: tuple[int, int],
    pool_depth: int,
    external_depth: int,
    selling: bool,
) -> None:
    world = World(chain, decimals, pool_depth, external_depth)
    both = pool_depth + external_depth
    one = chain.pool(world.base, world.usd, both * world.base_unit, 2000 * both * world.usd_unit, 0)
    # the same order, half of the thinner market, into the pool and into the one pool
    whole = min(pool_depth, external_depth)
    token = world.base if selling else world.usd
    order = whole * world.base_unit // 2 if selling else whole * 2000 * world.usd_unit // 2
    for pool in (world.pool, one):
        trade = (pool.address, token.address, order, 0, world.trader)
        chain.send(world.trader, world.router, "swapExactIn", *trade)
    (combined_base, combined_usd) = chain.reserves(one)
    combined = Fraction(combined_usd, combined_base)
    disturbed = world.pool_price()

    # the profit is taken in the other token, so that the one that was sold stays in the markets
    start = world.other(token)
    amount = _prices_cross(world, start)
    expected = world.profit(start, amount)
    receipt = world.arbitrage(world.legs(start), amount, expected)

    # Every amount is off by at most a wei, on reserves of at least half their first size; a wei of
    # a reserve is worth its inverse in relative price, and prices cross between two inputs one wei
    # apart: under 8 wei of each reserve in all.
    reserves = [*world.reserves, world.depth, 2000 * external_depth * world.usd_unit]
    tolerance = sum(Fraction(8, reserve) for reserve in reserves)
    for price in (world.pool_price(), world.external_price()):
        assert abs(price / combined - 1) <= tolerance
    assert abs(disturbed / combined - 1) > Fraction(1, 200)  # there was something to do
    (event,) = world.executor.events(receipt.logs, "Arbitrage")
    assert event == {
        "trader": world.trader,
        "token": start.address,
        "amountIn": amount,
        "amountOut": amount + expected,
    }
    assert expected > 0


def test_the_input_at_which_prices_cross_is_the_most_profitable(chain: Chain) -> None:
    world = World(chain, pool_depth=1000, external_depth=3000)
    trade = (world.pool.address, world.base.address, 100 * world.base_unit, 0, world.trader)
    chain.send(world.trader, world.router, "swapExactIn", *trade)
    best = _prices_cross(world, world.usd)
    gain = world.profit(world.usd, best)
    for percent in (1, 5, 20):
        for amount in (best * (100 - percent) // 100, best * (100 + percent) // 100):
            assert world.profit(world.usd, amount) < gain
    # near the top the profit is flat: whoever is off by a thousandth loses a millionth of it
    assert gain - world.profit(world.usd, best * 999 // 1000) < gain // 10**5
    assert world.profit(world.usd, 3 * best) < 0


def test_it_pays_the_profit_asked_for_or_reverts(chain: Chain) -> None:
    world = World(chain, fee_pips=3000)
    trade = (world.pool.address, world.base.address, 100 * world.base_unit, 0, world.trader)
    chain.send(world.trader, world.router, "swapExactIn", *trade)
    amount = 1000 * world.usd_unit
    gain = world.profit(world.usd, amount)
    assert gain > 0
    before = chain.balance(world.usd, world.trader)
    with chain.reverts("Unprofitable", amount + gain, amount + gain + 1):
        world.arbitrage(world.legs(world.usd), amount, gain + 1)
    assert chain.balance(world.usd, world.trader) == before
    receipt = world.arbitrage(world.legs(world.usd), amount, gain)
    assert world.executor.decode("arbitrage", receipt.output or b"") == amount + gain
    assert chain.balance(world.usd, world.trader) == before + gain
    with chain.reverts("Unprofitable"):
        world.arbitrage(world.legs(world.usd, pool_first=False), amount)
    for token in (world.base, world.usd):
        assert chain.balance(token, world.executor) == 0
        assert chain.read(token, "allowance", world.executor.address, world.market.address) == 0


def test_a_cycle_through_three_pools_of_6_8_and_18_decimals(chain: Chain) -> None:
    world = World(chain, fee_pips=3000)
    wbtc = chain.token("WBTC", 8)
    cheap = chain.pool(wbtc, world.usd, 100 * 10**8, 5_000_000 * 10**6)  # 50,000 a bitcoin
    cross = chain.pool(world.base, wbtc, 3000 * 10**18, 100 * 10**8)  # 60,000
    legs = [
        (cheap.address, POOL, world.usd.address),
        (cross.address, POOL, wbtc.address),
        (world.pool.address, POOL, world.base.address),
    ]
    held, amount = 1000 * 10**6, 1000 * 10**6
    for venue, (_, _, token) in zip((cheap, cross, world.pool), legs, strict=True):
        held = chain.read(venue, "getAmountOut", token, held)
    receipt = world.arbitrage(legs, amount, held - amount)
    assert world.executor.decode("arbitrage", receipt.output or b"") == held
    assert 1.18 * amount < held < 1.2 * amount


def test_broken_paths_are_refused(chain: Chain) -> None:
    world = World(chain)
    usd, base = world.usd.address, world.base.address
    pool, market = world.pool.address, world.market.address
    other = chain.token("OTHER")
    with chain.reverts("BrokenPath", 0):
        world.arbitrage([], 1)
    with chain.reverts("BrokenPath", 1):  # the second leg sells what the first does not buy
        world.arbitrage([(pool, POOL, usd), (market, EXTERNAL, usd)], 10**6)
    with chain.reverts("BrokenPath", 1):  # the path ends in base
        world.arbitrage([(pool, POOL, usd)], 10**6)
    with chain.reverts("UnknownKind", 2):
        world.arbitrage([(pool, 2, usd)], 10**6)
    chain.mint(other, world.trader, 10**6)
    chain.approve(world.trader, other, world.executor)
    with chain.reverts("BrokenPath", 0):
        world.arbitrage([(market, EXTERNAL, other.address)], 10**6)
    with chain.reverts("NotInPool", other):
        world.arbitrage([(pool, POOL, other.address)], 10**6)
    with chain.reverts("BrokenPath", 2):
        cycle = [(pool, POOL, usd), (market, EXTERNAL, base), (pool, POOL, base)]
        world.arbitrage(cycle, 10**6)
