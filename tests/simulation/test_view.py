"""What is known after a block: nothing is missed, nothing is stale, and quiet blocks are cheap."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engine import default_engine
from harness.engine.base import Block, Transaction
from harness.protocols.pooled_lending import WAD, AssetState, PooledLendingVenue
from harness.scenario import PoolSpotFeed, Response
from harness.view import VenueState, View, _Watch


def state(price: int, supply: int = 10**27, borrow: int = 10**27) -> AssetState:
    return AssetState(0, 0, 0, 0, 0, supply, borrow, 0, 0, price)


# --- the watch alone ------------------------------------------------------------------------------


growth = st.integers(10**27, 3 * 10**27)
price = st.integers(1, 10**24)
books = st.tuples(
    st.lists(st.tuples(price, growth, growth), min_size=2, max_size=2),
    st.lists(st.tuples(price, growth, growth), min_size=2, max_size=2),
    st.lists(st.tuples(*[st.integers(0, 10**9)] * 4), min_size=1, max_size=6),
)


def ratios(states: list[AssetState], accounts) -> np.ndarray:
    """Collateral over debt of accounts (claims, claims, debt, debt), infinite without debt."""
    found = []
    for *claims, first, second in accounts:
        secured = sum(
            amount * one.price_wad * one.supply_index
            for amount, one in zip(claims, states, strict=True)
        )
        owed = sum(
            amount * one.price_wad * one.borrow_index
            for amount, one in zip((first, second), states, strict=True)
        )
        found.append(secured / owed if owed else math.inf)
    return np.array(found)


def prices_of(states: list[AssetState]) -> list[int]:
    return [one.price_wad for one in states]


@given(books)
def test_while_the_watch_is_steady_nobody_has_crossed(situation) -> None:
    """For any two states of a market and any accounts."""
    before, after, accounts = situation
    then = [state(p, s, b) for p, s, b in before]
    now = [state(p, s, b) for p, s, b in after]
    watch = _Watch()
    assert not watch.steady(then, prices_of(then))
    watch.scanned(ratios(then, accounts), then, prices_of(then))
    if watch.steady(now, prices_of(now)):
        assert ((ratios(now, accounts) < 1) == (ratios(then, accounts) < 1)).all()
    watch.forget()
    assert not watch.steady(now, prices_of(now))


@given(st.floats(0.5, 1.5), st.floats(0.5, 1.5), st.floats(1.0, 1.2), st.floats(0.5, 2.0))
def test_the_watch_is_as_good_as_its_bound(first, second, grown, ratio) -> None:
    """One account: steady if and only if its ratio cannot have come to 1 at these weights."""
    then = [state(10**18 + 1, 10**27 + 1, 10**27 + 1), state(10**18)]
    now = [state(int(10**18 * first), 10**27 + 3, int(10**27 * grown)), state(int(10**18 * second))]
    watch = _Watch()
    watch.scanned(np.array([ratio]), then, prices_of(then))
    dearest = max(first * grown, second)
    cheapest = min(first * grown, second)
    worst = ratio * min(first, second) / dearest if ratio >= 1 else None
    best = ratio * max(first, second) / cheapest if ratio < 1 else None
    if worst is not None and abs(worst - 1.000001) > 1e-9:
        assert watch.steady(now, prices_of(now)) == (worst > 1.000001 and ratio > 1)
    if best is not None and abs(best - 0.999999) > 1e-9:
        assert watch.steady(now, prices_of(now)) == (best < 0.999999)


def test_the_watch_is_never_steady_about_a_price_it_has_not_seen() -> None:
    watch = _Watch()
    healthy = np.array([2.0])
    refused, known = [state(0), state(WAD)], [state(WAD), state(WAD)]
    watch.scanned(healthy, refused, prices_of(refused))
    assert not watch.steady(known, prices_of(known))
    assert not watch.steady(refused, prices_of(refused))
    watch.scanned(healthy, known, prices_of(known))
    assert watch.steady(known, prices_of(known))
    assert not watch.steady(refused, prices_of(refused))


def test_without_accounts_the_watch_is_always_steady() -> None:
    watch = _Watch()
    watch.scanned(np.array([]), [state(WAD)], [WAD])
    assert watch.steady([state(1)], [1])


# --- against the chain, every block -------------------------------------------------------------


def wandering(seed: int, blocks: int) -> list[tuple[int, float]]:
    """A price that creeps, jumps and stands still."""
    draw = random.Random(seed)
    found, price = [(0, 1000.0)], 1000.0
    for block in range(1, blocks):
        step = draw.choice([0.0, 0.0, 0.0005, -0.0005, -0.001, 0.02, -0.03])
        price = round(price * math.exp(step * draw.random()), 6)
        found.append((block, price))
    return found


def crowd(seed: int, count: int = 40) -> list[tuple[float, float]]:
    draw = random.Random(seed)
    return [
        (size, round(size * 800 / draw.choice([1.0005, 1.01, 1.03, 1.06, 1.2, 2.0]), 3))
        for size in (round(math.exp(draw.gauss(0, 2)), 6) for _ in range(count))
    ]


@pytest.mark.parametrize("seed", range(6))
def test_the_scans_find_what_a_full_read_finds(small, passes, monkeypatch, seed) -> None:
    """Every block of runs with interest, partial closes, top-ups and sales: accounts below 1 and
    below their call level, the cached positions and both shortfalls are those of an exact read of
    everybody."""
    scenario = small.scenario(
        blocks=60,
        seconds=600,
        prices=wandering(seed, 60),
        usdx=[(block, value / 1000) for block, value in wandering(seed + 100, 60)],
        positions=crowd(seed),
        pool_base=2_000.0,
        pool_fee_pips=3000,
        external={"depth_2pct_usd": 3e5, "half_life_s": 1200, "fee_pips": 1000},
        feed=PoolSpotFeed("pool") if seed % 3 == 2 else small.feed(deviation_bps=20 * (seed % 2)),
        eth={"protocol_share_bps": 1000, "base_rate": 0.05},
        debt={"base_rate": 2.0, "reserve_factor_bps": 1000},
        market={"close_factor_bps": 5000, "full_close_health_factor": 0.95},
        response=Response(
            top_up_bps=3000,
            deleverage_bps=3000,
            call_health_factor=1.02,
            target_health_factor=1.1,
            cash_bps=500,
            bid=small.FREE,
        ),
        agents=(
            small.arbitrageur(),
            small.liquidator(capital=(("USDX", 3_000.0),), max_transactions=2),
        ),
    )
    seen = Counter()
    update = View.update

    def checked(view: View, *args):
        found = update(view, *args)
        venue_state = view.venues["market"]
        venue, engine = venue_state.venue, view._engine
        exact = venue.health_factors(engine, range(len(venue.accounts)))
        assert set(venue_state.unhealthy_since) == {
            number for number, factor in enumerate(exact) if factor < WAD
        }
        assert set(venue_state.calls.open) == {
            number
            for number, factor in enumerate(exact)
            if factor < venue.positions[number].call_health_factor
        }
        cached = (venue._claims.copy(), venue._debts.copy())
        venue.refresh(engine)
        assert (venue._claims == cached[0]).all()
        assert (venue._debts == cached[1]).all()
        external = [view.external_wad(symbol) for symbol in venue.assets]
        everyone = range(len(venue.accounts))
        outside, oracle = venue_state.shortfalls(external)
        assert outside == venue.shortfall(engine, everyone, external)
        assert oracle == venue.shortfall(engine, everyone, venue_state.oracle_prices).market
        seen["blocks"] += 1
        seen["unhealthy"] += len(venue_state.unhealthy_since)
        seen["called"] += len(venue_state.calls.open)
        return found

    monkeypatch.setattr(View, "update", checked)
    trace = passes(scenario, seed).simulate()
    assert seen["blocks"] == 60
    assert seen["unhealthy"]
    assert seen["called"]
    assert trace.liquidations


def test_the_cache_is_the_chain_after_every_kind_of_event(small, passes) -> None:
    """Supplies, withdrawals, borrowings, repayments and seizures in claims, sent by hand."""
    scenario = small.scenario(
        positions=((10.0, 1_000.0), (20.0, 2_000.0), (1.0, 790.0)),
        prices=((0, 1000.0), (1, 950.0)),
        blocks=3,
    )
    history = passes(scenario)
    history.simulate()
    view, world = history.view(2), history.world
    venue_state = view.venues["market"]
    venue, market = venue_state.venue, world.venues["market"].market
    eth, usdx = world.tokens["ETH"], world.tokens["USDX"]
    first, second, third = venue.accounts
    minter = next(sent.sender for sent in world.setup.transactions if sent.to == eth.address)
    most, clock = (1 << 256) - 1, scenario.clock

    number = itertools.count(history.next_number)

    def send(sender: bytes, contract, function: str, *args) -> set[int]:
        sent = Transaction(sender, contract.address, contract.encode(function, *args))
        (receipt,) = history.engine.execute(
            Block(height := next(number), clock.time(height), (sent,))
        )
        assert receipt.status
        touched = venue_state.update(3, [receipt])
        cached = (venue._claims.copy(), venue._debts.copy())
        venue.refresh(history.engine)
        assert (venue._claims == cached[0]).all()
        assert (venue._debts == cached[1]).all()
        return touched

    for owner in (first, second):
        send(minter, eth, "mint", owner, 10**18)
        send(minter, usdx, "mint", owner, 10**9)
        send(owner, eth, "approve", market.address, most)
        send(owner, usdx, "approve", market.address, most)
    assert send(first, market, "supply", eth.address, 10**17, second) == {1}
    assert send(first, market, "withdraw", eth.address, 10**17, first, second) == {0}
    assert send(second, market, "borrow", usdx.address, 10**6, second, first) == {1}
    assert send(first, market, "repay", usdx.address, 10**6, second) == {1}
    assert send(
        second, market, "liquidate", third, eth.address, usdx.address, most, True, first
    ) == {0, 2}


# --- quiet blocks -------------------------------------------------------------------------------


class Counting:
    """Counts the calls of an engine."""

    def __init__(self, engine) -> None:
        self._engine = engine
        self.calls: Counter[bytes] = Counter()

    def __getattr__(self, name: str):
        return getattr(self._engine, name)

    def call(self, to: bytes, data: bytes) -> bytes:
        self.calls[data[:4]] += 1
        return self._engine.call(to, data)


def test_quiet_blocks_read_the_world_and_the_books_and_nobody(small, passes, monkeypatch) -> None:
    """Prices move a little in every block and nobody is near the edge: a few calls a block, and
    nothing that goes through the accounts."""
    touched = Counter()
    for name in ("health", "cover", "refresh", "unpriced", "position_words", "_ask", "_usd"):
        kept = getattr(PooledLendingVenue, name)

        def counted(self, *args, name=name, kept=kept):
            touched[name] += 1
            return kept(self, *args)

        monkeypatch.setattr(PooledLendingVenue, name, counted)
    scans = Counter()
    scan = VenueState._scan
    monkeypatch.setattr(
        VenueState, "_scan", lambda self, index: (scans.update([index]), scan(self, index))[1]
    )
    blocks = 40
    engine = Counting(default_engine())
    history = passes(
        small.scenario(
            blocks=blocks,
            prices=[(block, 1000 + math.sin(block)) for block in range(blocks)],
            positions=[(1.0, 400.0)] * 50,
            debt={"base_rate": 0.05},
            agents=(small.arbitrageur(), small.liquidator()),
        ),
        1,
        engine,
    )
    marks = []
    update = View.update

    def marked(view, *args):
        found = update(view, *args)
        marks.append((sum(engine.calls.values()), sum(touched.values())))
        return found

    monkeypatch.setattr(View, "update", marked)
    history.simulate()
    assert scans == {0: 1}
    during = [
        (calls - before_calls, names - before_names)
        for (before_calls, before_names), (calls, names) in itertools.pairwise(marks[1:])
    ]
    # the world, the books, and balances; accounts only once, when the market's own prices first
    # differ from the outside ones, to learn who is near at those
    assert [names for _, names in during if names] == [2]
    assert max(calls for calls, _ in during) <= 4
