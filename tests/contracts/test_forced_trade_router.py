"""Forced trades: through the pool with their impact on record, or cut to the sink without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.contracts import Contract

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

ETHER = 10**18
RESERVES = (1000 * ETHER, 2_000_000 * 10**6)
PIPS = 10**6
FEE = 3000


class World:
    """A pool, a router whose admin is "admin", a sink, and a liquidator who sells eth."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.eth, self.usdc = chain.token("ETH", 18), chain.token("USDC", 6)
        self.pool = chain.pool(self.eth, self.usdc, *RESERVES)
        self.admin, self.seller = chain.address("admin"), chain.address("seller")
        self.market, self.account = chain.address("market"), chain.address("account")
        self.router = chain.deploy("ForcedTradeRouter", self.admin)
        self.sink = chain.deploy("Sink", self.router.address)
        self.set("setPool", self.eth.address, self.usdc.address, self.pool.address)
        self.set("setSink", self.sink.address)
        chain.mint(self.eth, self.seller, 10_000 * ETHER)
        chain.mint(self.usdc, self.seller, 10**13)
        chain.mint(self.usdc, self.sink.address, 10**13)
        chain.mint(self.eth, self.sink.address, 10**22)
        chain.approve(self.seller, self.eth, self.router)
        chain.approve(self.seller, self.usdc, self.router)

    def set(self, function: str, *args: Any) -> tuple[Any, ...]:
        """Act as the admin; returns the logs."""
        return self.chain.send(self.admin, self.router, function, *args).logs

    def sell(
        self,
        amount: int,
        token_in: Contract | None = None,
        origin: bytes | None = None,
        min_out: int = 0,
    ) -> tuple[int, dict[str, Any]]:
        """A forced sale for cash to the account "treasury": what it paid, and its event."""
        token_in = token_in or self.eth
        token_out = self.usdc if token_in is self.eth else self.eth
        receipt = self.chain.send(
            self.seller,
            self.router,
            "sell",
            origin or self.market,
            self.account,
            token_in.address,
            token_out.address,
            amount,
            min_out,
            self.chain.address("treasury"),
        )
        (event,) = self.router.events(receipt.logs, "ForcedTrade")
        return self.router.decode("sell", receipt.output or b""), event


@pytest.fixture
def world(chain: Chain) -> World:
    return World(chain)


def _marginal(amount: int, reserve_in: int, reserve_out: int) -> int:
    """What the pool's spot price gives for an amount, net of the fee."""
    return amount * (PIPS - FEE) * reserve_out // (PIPS * reserve_in)


@pytest.mark.parametrize("selling_eth", [True, False])
def test_a_forced_trade_takes_the_pools_price_and_its_impact_is_on_record(
    chain: Chain, world: World, selling_eth: bool
) -> None:
    token_in, token_out = (world.eth, world.usdc) if selling_eth else (world.usdc, world.eth)
    before = RESERVES if selling_eth else RESERVES[::-1]
    amount = before[0] // 10
    quoted = chain.read(world.pool, "getAmountOut", token_in.address, amount)
    paid, event = world.sell(amount, token_in)
    after = (before[0] + amount, before[1] - quoted)
    assert paid == quoted == chain.balance(token_out, chain.address("treasury"))
    assert event == {
        "id": 1,
        "origin": world.market,
        "account": world.account,
        "pool": world.pool.address,
        "tokenIn": token_in.address,
        "amountIn": amount,
        "amountOut": paid,
        "spotBefore": before[1] * 10**36 // before[0],
        "spotAfter": after[1] * 10**36 // after[0],
    }
    assert chain.reserves(world.pool) == (after if selling_eth else after[::-1])
    assert chain.balance(world.eth, world.router) == chain.balance(world.usdc, world.router) == 0
    assert world.sell(amount // 1000, token_in)[1]["id"] == 2
    assert chain.read(world.router, "tradeCount") == 2


@pytest.mark.parametrize("selling_eth", [True, False])
def test_a_cut_trade_is_filled_at_spot_and_leaves_the_pool_as_it_was(
    chain: Chain, world: World, selling_eth: bool
) -> None:
    token_in, token_out = (world.eth, world.usdc) if selling_eth else (world.usdc, world.eth)
    before = RESERVES if selling_eth else RESERVES[::-1]
    amount = before[0] // 10
    world.set("setCutAll", True)
    stock = chain.balance(token_in, world.sink), chain.balance(token_out, world.sink)
    paid, event = world.sell(amount, token_in)
    assert paid == _marginal(amount, *before)
    assert paid > chain.read(world.pool, "getAmountOut", token_in.address, amount)
    assert chain.reserves(world.pool) == RESERVES
    assert event["spotBefore"] == event["spotAfter"] == before[1] * 10**36 // before[0]
    assert (event["id"], event["amountIn"], event["amountOut"]) == (1, amount, paid)
    assert chain.balance(token_in, world.sink) == stock[0] + amount
    assert chain.balance(token_out, world.sink) == stock[1] - paid
    assert chain.balance(token_out, chain.address("treasury")) == paid


def test_cutting_one_origin_leaves_the_others_alone(chain: Chain, world: World) -> None:
    other = chain.address("other market")
    world.set("setCut", world.market, True)
    assert world.sell(ETHER)[0] == _marginal(ETHER, *RESERVES)
    assert chain.reserves(world.pool) == RESERVES
    paid, _ = world.sell(ETHER, origin=other)
    assert chain.reserves(world.pool) == (RESERVES[0] + ETHER, RESERVES[1] - paid)
    world.set("setCut", world.market, False)
    moved = chain.reserves(world.pool)
    world.sell(ETHER)
    assert chain.reserves(world.pool) != moved


def test_switching_cuts_leaves_no_event(chain: Chain, world: World) -> None:
    for value in (True, False):
        assert world.set("setCut", world.market, value) == ()
        assert world.set("setCutAll", value) == ()
        assert chain.read(world.router, "cut", world.market) is value
        assert chain.read(world.router, "cutAll") is value


def test_a_cut_changes_only_amounts_for_the_caller(chain: Chain, world: World) -> None:
    data = world.router.encode(
        "sell",
        world.market,
        world.account,
        world.eth.address,
        world.usdc.address,
        ETHER,
        0,
        chain.address("treasury"),
    )
    seen = []
    for cut in (False, True):
        with chain.anchor():
            if cut:
                world.set("setCutAll", True)
            receipt = chain.send_data(world.seller, world.router.address, data)
        (event,) = world.router.events(receipt.logs, "ForcedTrade")
        seen.append({k: event[k] for k in event if k not in ("amountOut", "spotAfter")})
        moves = [log for log in receipt.logs if log.address == world.pool.address]
        assert bool(moves) is not cut
    assert seen[0] == seen[1]


def test_refusals(chain: Chain, world: World) -> None:
    thief = chain.address("thief")
    for function, args in (
        ("setPool", (world.eth.address, world.usdc.address, world.pool.address)),
        ("setSink", (thief,)),
        ("setCut", (thief, True)),
        ("setCutAll", (True,)),
    ):
        with chain.reverts("NotAdmin", thief):
            chain.send(thief, world.router, function, *args)
    with chain.reverts("NotRouter", thief):
        chain.send(thief, world.sink, "fill", world.usdc.address, 1, thief)
    wbtc = chain.token("WBTC", 8)
    with chain.reverts("NoPool", world.eth, wbtc):
        world.set("setPool", world.eth.address, wbtc.address, world.pool.address)
    with chain.reverts("NoPool", wbtc, world.eth):
        world.sell(1, wbtc)
    for cut, quoted in (
        (False, chain.read(world.pool, "getAmountOut", world.eth.address, ETHER)),
        (True, _marginal(ETHER, *RESERVES)),
    ):
        world.set("setCutAll", cut)
        with chain.reverts("SlippageExceeded", quoted, quoted + 1):
            world.sell(ETHER, min_out=quoted + 1)
        world.sell(ETHER, min_out=quoted)
        if not cut:  # put the pool back for the second round
            world = World(chain)


def test_an_empty_sink_refuses(chain: Chain, world: World) -> None:
    world.set("setCutAll", True)
    held = chain.balance(world.usdc, world.sink)
    amount = 6000 * ETHER
    needed = _marginal(amount, *RESERVES)
    with chain.reverts("InsufficientInventory", world.usdc, held, needed):
        world.sell(amount)
    assert chain.read(world.router, "tradeCount") == 0


def test_pairs_of_6_8_and_18_decimals_trade_side_by_side(chain: Chain, world: World) -> None:
    wbtc = chain.token("WBTC", 8)
    pools = {
        world.eth: chain.pool(wbtc, world.eth, 100 * 10**8, 3000 * ETHER),
        world.usdc: chain.pool(world.usdc, wbtc, 6_000_000 * 10**6, 100 * 10**8),
    }
    for token, pool in pools.items():
        world.set("setPool", wbtc.address, token.address, pool.address)
    chain.mint(wbtc, world.seller, 10 * 10**8)
    chain.approve(world.seller, wbtc, world.router)
    treasury = chain.address("treasury")
    held = 10**8
    for token_in, token_out in ((wbtc, world.eth), (world.eth, world.usdc), (world.usdc, wbtc)):
        route = (
            world.market,
            world.account,
            token_in.address,
            token_out.address,
            held,
            0,
            treasury,
        )
        receipt = chain.send(world.seller, world.router, "sell", *route)
        held = world.router.decode("sell", receipt.output or b"")
    # one bitcoin round three fair pools: each takes .3% and its slippage, about 1%, 3% and 1%
    assert 0.93 * 10**8 < held < 0.955 * 10**8
