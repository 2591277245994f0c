"""The external market: its curve against closed forms, its recovery, and what it refuses.

With depth D, displacement q and published price P, selling b base pays P D^2 b / ((D+q)(D+q+b)) and
spending u usd buys (D+q) u / (U + u) base, U = P D^2 / (D+q).
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import Reverted

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

RAY = 10**27
PIPS = 10**6
PRICE = 2000 * 10**8
NO_RECOVERY = RAY
HALF_LIFE = 600
HALVING = round(RAY * 2 ** (-1 / HALF_LIFE))


class World:
    """An external market with deep pockets, and a trader who has both tokens."""

    def __init__(
        self,
        chain: Chain,
        depth: int = 5000,
        recovery: int = NO_RECOVERY,
        fee_pips: int = 0,
        decimals: tuple[int, int] = (18, 6),
    ) -> None:
        self.chain = chain
        self.base_unit, self.usd_unit = 10 ** decimals[0], 10 ** decimals[1]
        self.base = chain.token("ETH", decimals[0])
        self.usd = chain.token("USDC", decimals[1])
        self.depth = depth * self.base_unit
        self.fee_pips = fee_pips
        self.publisher, self.trader = chain.address("publisher"), chain.address("trader")
        self.market = chain.deploy(
            "ExternalMarket",
            self.base.address,
            self.usd.address,
            self.publisher,
            self.depth,
            recovery,
            fee_pips,
            PRICE,
        )
        for holder in (self.market.address, self.trader):
            chain.mint(self.base, holder, 10**12 * self.base_unit)
            chain.mint(self.usd, holder, 10**16 * self.usd_unit)
        for token in (self.base, self.usd):
            chain.approve(self.trader, token, self.market)

    def read(self, view: str, *args: int) -> Any:
        return self.chain.read(self.market, view, *args)

    def trade(self, side: str, amount: int, after: int = 1) -> int:
        """Sell or buy with everything going back to the trader; what came out."""
        receipt = self.chain.send(
            self.trader, self.market, side, amount, 0, self.trader, after=after
        )
        paid: int = self.market.decode(side, receipt.output or b"")
        return paid

    def price(self, q: int, published: int = PRICE) -> Fraction:
        """Exact price of the curve, 8 decimals."""
        return Fraction(published * self.depth**2, (self.depth + q) ** 2)

    def usd_reserve(self, q: int) -> Fraction:
        """Exact usd reserve of the curve, usd wei."""
        wei_per_wei = Fraction(PRICE * self.usd_unit, 10**8 * self.base_unit)
        return wei_per_wei * Fraction(self.depth**2, self.depth + q)

    def net(self, amount: int) -> int:
        return amount * (PIPS - self.fee_pips) // PIPS


@pytest.mark.parametrize("decimals", [(18, 6), (8, 18), (6, 8), (18, 18), (8, 6)])
@pytest.mark.parametrize("fee_pips", [0, 500])
def test_amounts_are_the_closed_form_rounded_down(
    chain: Chain, decimals: tuple[int, int], fee_pips: int, rng: random.Random
) -> None:
    world = World(chain, fee_pips=fee_pips, decimals=decimals)
    q = 0
    for _ in range(200):
        reserve = world.depth + q
        if rng.random() < 0.5:
            amount = max(2, int(world.depth * 10 ** rng.uniform(-5, 0.5)))
            quoted = world.read("quoteSell", amount)
            paid = world.trade("sell", amount)
            net = world.net(amount)
            exact = world.usd_reserve(q) - world.usd_reserve(q + net)
            q += net
        else:
            amount = max(2, int(world.usd_reserve(q) * Fraction(10 ** rng.uniform(-5, 0.5))))
            quoted = world.read("quoteBuy", amount)
            paid = world.trade("buy", amount)
            net = world.net(amount)
            exact = reserve * net / (world.usd_reserve(q) + net)
            q -= paid
        assert paid == quoted
        # one rounding to a whole wei, and one of the usd reserve far below a wei
        assert 0 <= exact - paid < 1 + Fraction(1, 10**9)
        assert world.read("displacement") == q
        assert world.read("price") == world.price(q) // 1
        assert world.read("state") == (world.price(q) // 1, PRICE, q)
    chain_total = chain.balance(world.base, world.market) + chain.balance(world.base, world.trader)
    assert chain_total == chain.read(world.base, "totalSupply")


def test_coarse_units_are_rounded_against_the_trader(chain: Chain, rng: random.Random) -> None:
    # Tokens without decimals at 1e-8 usd: the curve's own rounding now shows in the amounts.
    base, usd, trader = chain.token("B", 0), chain.token("U", 0), chain.address("trader")
    depth = 10**9 + 7
    args = (base.address, usd.address, trader, depth, NO_RECOVERY, 0, 1)
    market = chain.deploy("ExternalMarket", *args)
    for token in (base, usd):
        chain.mint(token, market.address, 10**30)
        chain.mint(token, trader, 10**30)
        chain.approve(trader, token, market)
    q = 0
    for _ in range(400):
        curve = Fraction(depth**2, 10**8 * (depth + q))
        side = "buy" if q > 0 or rng.random() < 0.5 else "sell"
        amount = rng.randint(1, 30) if side == "buy" else rng.randint(10**9, 10**11)
        receipt = chain.send(trader, market, side, amount, 0, trader)
        paid = market.decode(side, receipt.output or b"")
        if side == "buy":
            exact = (depth + q) * amount / (curve + amount)
            # the usd reserve is held in units of 1e-8 usd; one of them moves the amount by this
            coarse = exact / (10**8 * (curve + amount))
            q -= paid
        else:
            exact = curve * amount / (depth + q + amount)
            coarse = Fraction(1)
            q += amount
        assert 0 <= exact - paid < 1 + coarse
        assert chain.read(market, "displacement") == q


def test_a_sale_of_a_tenth_of_the_depth_slips_as_a_pool_of_that_depth_does(chain: Chain) -> None:
    world = World(chain)
    sold = world.depth // 10
    paid = world.trade("sell", sold)
    slippage = 1 - Fraction(paid * 10**8 * world.base_unit, sold * PRICE * world.usd_unit)
    assert round(float(slippage), 4) == 0.0909
    assert round(1 - world.read("price") / PRICE, 4) == 0.1736


def test_trades_say_what_happened(chain: Chain) -> None:
    world = World(chain, fee_pips=500)
    before = chain.balance(world.usd, world.trader)
    receipt = chain.send(world.trader, world.market, "sell", 10**18, 0, chain.address("friend"))
    (event,) = world.market.events(receipt.logs, "Trade")
    assert event == {
        "trader": world.trader,
        "sold": True,
        "baseAmount": 10**18,
        "usdAmount": chain.balance(world.usd, chain.address("friend")),
        "priceAfter": world.read("price"),
    }
    receipt = chain.send(world.trader, world.market, "buy", 10**6, 0, chain.address("friend"))
    (event,) = world.market.events(receipt.logs, "Trade")
    assert event == {
        "trader": world.trader,
        "sold": False,
        "baseAmount": chain.balance(world.base, chain.address("friend")),
        "usdAmount": before - chain.balance(world.usd, world.trader),
        "priceAfter": world.read("price"),
    }


@pytest.mark.parametrize("side", ["sell", "buy"])
def test_half_the_displacement_is_gone_after_the_half_life(chain: Chain, side: str) -> None:
    world = World(chain, recovery=HALVING)
    world.trade(side, 500 * (world.base_unit if side == "sell" else 2000 * world.usd_unit))
    start = world.read("displacement")
    assert (start > 0) == (side == "sell")
    assert start != 0
    for halvings in (1, 2, 3):
        chain.wait(HALF_LIFE)
        left = world.read("displacement")
        # the factor for a second is rounded to a ray and its power to n units of a ray more
        tolerance = 1 + abs(start) * 4 * HALF_LIFE * halvings // 10**15
        assert abs(left - start / 2**halvings) <= tolerance
        assert world.read("price") == world.price(left) // 1
    chain.wait(200 * HALF_LIFE)
    assert world.read("displacement") == 0
    assert world.read("price") == PRICE


@pytest.mark.parametrize(("side", "left"), [("sell", 2), ("buy", -2)])
def test_recovery_rounds_toward_rest(chain: Chain, side: str, left: int) -> None:
    base, usd = chain.token("ETH", 18), chain.token("USDC", 18)
    # at 1 usd, on a curve this deep, a wei is a wei
    args = (base.address, usd.address, chain.address("p"), 1 << 120, HALVING, 0, 10**8)
    market = chain.deploy("ExternalMarket", *args)
    for token in (base, usd):
        chain.mint(token, market.address, 10)
        chain.mint(token, chain.address("t"), 10)
        chain.approve(chain.address("t"), token, market)
    amount = 3 if side == "sell" else 4
    chain.send(chain.address("t"), market, side, amount, 0, chain.address("t"))
    assert abs(chain.read(market, "displacement")) == 3
    chain.wait(1)  # leaves 2.997 of 3
    assert chain.read(market, "displacement") == left


def test_recovery_runs_on_from_trade_to_trade(chain: Chain, rng: random.Random) -> None:
    world = World(chain, recovery=HALVING)
    q = 0
    factor = Fraction(HALVING, RAY)
    for trades in range(1, 60):
        after = rng.randint(1, 300)
        amount = rng.randint(1, 50) * world.base_unit
        world.trade("sell", amount, after=after)
        q = round(q * factor**after) + amount
        assert abs(world.read("displacement") - q) <= 2 * trades


@pytest.mark.parametrize(("recovery", "left"), [(NO_RECOVERY, 1), (0, 0)])
def test_recovery_may_be_absent_or_immediate(chain: Chain, recovery: int, left: int) -> None:
    world = World(chain, recovery=recovery)
    world.trade("sell", world.base_unit)
    assert world.read("displacement") == world.base_unit  # within the block nothing recovers
    chain.wait(1)
    assert world.read("displacement") == left * world.base_unit


def test_a_new_price_scales_the_curve_and_keeps_the_displacement(chain: Chain) -> None:
    world = World(chain)
    world.trade("sell", world.depth)
    receipt = chain.send(world.publisher, world.market, "publish", PRICE // 2)
    assert world.market.events(receipt.logs, "Published") == [{"price": PRICE // 2}]
    assert world.read("state") == (PRICE // 8, PRICE // 2, world.depth)


@pytest.mark.parametrize("fee_pips", [0, 500])
@pytest.mark.parametrize("decimals", [(18, 6), (6, 18), (8, 8)])
def test_nobody_gains_on_a_market_at_rest(
    chain: Chain, fee_pips: int, decimals: tuple[int, int], rng: random.Random
) -> None:
    # Valued at the published price, wealth plus what the displaced curve could still pay is
    # constant in a trade and falls with recovery; from rest, then, wealth alone never rises:
    # no round trip pays, however it is split or timed.
    world = World(chain, recovery=HALVING, fee_pips=fee_pips, decimals=decimals)
    usd, base = chain.balance(world.usd, world.trader), chain.balance(world.base, world.trader)
    trades = losses = 0
    for _ in range(600):
        side = rng.choice(["sell", "buy"])
        depth = world.depth if side == "sell" else int(world.usd_reserve(0))
        amount = rng.choice([1, 2, 3, 1000, *[int(depth * 10 ** rng.uniform(-6, 0.5))] * 8])
        chain.wait(rng.choice([1, 1, rng.randint(1, HALF_LIFE)]))
        try:
            world.trade(side, amount)
        except Reverted as refusal:
            if str(refusal) != "InvalidAmount()":  # some amounts are too small for a trade
                raise
            continue
        trades += 1
        gained_base = chain.balance(world.base, world.trader) - base
        gained_usd = chain.balance(world.usd, world.trader) - usd
        value = Fraction(gained_base * PRICE * world.usd_unit, 10**8 * world.base_unit)
        assert gained_usd + value <= 0
        losses += gained_usd + value < 0
    assert trades > 400
    assert losses > trades // 2


def test_splitting_a_sale_changes_nothing_but_rounding(chain: Chain) -> None:
    world = World(chain)
    whole = world.read("quoteSell", world.depth)
    parts = sum(world.trade("sell", world.depth // 100) for _ in range(100))
    assert 0 <= whole - parts <= 100


@pytest.mark.parametrize("side", ["sell", "buy"])
def test_an_empty_inventory_refuses(chain: Chain, side: str) -> None:
    base, usd = chain.token("ETH", 18), chain.token("USDC", 6)
    market = chain.deploy(
        "ExternalMarket", base.address, usd.address, chain.address("p"), 10**21, RAY, 0, PRICE
    )
    trader = chain.address("trader")
    paying, paid = (base, usd) if side == "sell" else (usd, base)
    amount = 10**18 if side == "sell" else 2000 * 10**6
    chain.mint(paying, trader, amount)
    chain.approve(trader, paying, market)
    needed = chain.read(market, "quoteSell" if side == "sell" else "quoteBuy", amount)
    chain.mint(paid, market.address, needed - 1)
    with chain.reverts("InsufficientInventory", paid, needed - 1, needed):
        chain.send(trader, market, side, amount, 0, trader)
    assert chain.read(market, "displacement") == 0
    chain.mint(paid, market.address, 1)
    chain.send(trader, market, side, amount, 0, trader)
    assert chain.balance(paid, market) == 0
    assert chain.balance(paid, trader) == needed


def test_refusals(chain: Chain) -> None:
    world = World(chain, fee_pips=500)
    market, trader = world.market, world.trader
    with chain.reverts("NotPublisher", trader):
        chain.send(trader, market, "publish", PRICE)
    for price in (0, 1 << 64):
        with chain.reverts("InvalidPrice", price):
            chain.send(world.publisher, market, "publish", price)
    chain.send(world.publisher, market, "publish", (1 << 64) - 1)
    for side in ("sell", "buy"):
        for amount in (0, 1, 1 << 129):  # the fee leaves nothing of one wei
            with chain.reverts("InvalidAmount"):
                chain.send(trader, market, side, amount, 0, trader)
    quoted = world.read("quoteSell", 10**18)
    with chain.reverts("SlippageExceeded", quoted, quoted + 1):
        chain.send(trader, market, "sell", 10**18, quoted + 1, trader)
    quoted = world.read("quoteBuy", 10**6)
    with chain.reverts("SlippageExceeded", quoted, quoted + 1):
        chain.send(trader, market, "buy", 10**6, quoted + 1, trader)
    good = (world.base.address, world.usd.address, world.publisher, 10**21, RAY, 500, PRICE)
    for position, bad in ((1, good[0]), (3, 0), (3, (1 << 120) + 1), (4, RAY + 1), (5, PIPS)):
        arguments = [*good[:position], bad, *good[position + 1 :]]
        with chain.reverts("InvalidParameter"):
            chain.deploy("ExternalMarket", *arguments)
    with chain.reverts("InvalidPrice", 0):
        chain.deploy("ExternalMarket", *good[:-1], 0)


def test_the_curve_survives_its_extremes(chain: Chain) -> None:
    world = World(chain, depth=1)
    chain.mint(world.base, world.trader, 1 << 128)
    world.trade("sell", (1 << 127) - 1)
    assert world.read("price") == 0
    with chain.reverts("InvalidAmount"):  # not a wei is left to be paid
        world.trade("sell", 1)
    world.trade("buy", 10**15 * world.usd_unit)
    price, _, q = world.read("state")
    assert -world.depth < q < 0
    assert price == world.price(q) // 1 > 10**30


def test_the_displacement_stays_within_its_word(chain: Chain) -> None:
    base, usd, trader = chain.token("B", 18), chain.token("U", 18), chain.address("trader")
    args = (base.address, usd.address, trader, 1 << 120, RAY, 0, PRICE)
    market = chain.deploy("ExternalMarket", *args)
    chain.mint(base, trader, 1 << 130)
    chain.mint(usd, market.address, 1 << 140)
    chain.approve(trader, base, market)
    chain.send(trader, market, "sell", (1 << 127) - 2, 0, trader)
    assert chain.read(market, "quoteSell", 1 << 120) > 0
    with chain.reverts("InvalidAmount"):
        chain.send(trader, market, "sell", 1 << 120, 0, trader)
    assert chain.read(market, "displacement") == (1 << 127) - 2
