"""Cross margin inside one account, cut: each position stands alone, from the same set-up.

Exchanges settle in USDX (1 USD, 6 decimals) and trade ONE and TWO, whose prices fall by schedule.
Every position is a long of the same notional; where an answer is computed by hand there are no
fees, premium or funding. Seeds matter only for equities, which add up to the same with each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.cross_margin import initial_margin_up, stand_alone
from harness.cuts import UNCUT, Cuts, Link
from harness.engine import Engine, default_engine, open_engine
from harness.engine.base import Block
from harness.experiments.contagion import contagion, insolvency
from harness.lending_pairs import divided_down
from harness.links import links_of
from harness.metrics.losses import losses
from harness.protocols.perp_exchange import PerpVenue, halves
from harness.run import Stage, run, set_up
from harness.scenario import (
    Asset,
    Bid,
    BlockSpace,
    Clock,
    ConstantPrice,
    ExternalMarket,
    LeverageDistribution,
    MarginCaller,
    MarginTier,
    PerpCollateral,
    PerpExchange,
    PerpLiquidator,
    PerpMarket,
    Pool,
    PoolSpotFeed,
    PushFeed,
    Scenario,
    SchedulePrice,
    TraderResponse,
    Traders,
    VaultHedger,
    checked,
    load_scenario,
)
from harness.trace import Trace
from harness.world import World

SEED = 5
SECONDS = 10
FREE = Bid(base_gwei=0)
WAD = 10**18
MAINTENANCE = 0.05
#: fall a block, as a share of the start price
STEP = 0.0025
SMALL = Path(__file__).parents[1] / "perps" / "small.toml"
UNFUNDED = [
    f"venue.perps.market.{symbol}.{field}=0"
    for symbol in ("ETH", "BTC")
    for field in ("funding_slope", "interest", "premium_bound_bps")
]
"""Overrides of the small scenario: positions gain and owe nothing between set-up and block 0."""


class Played(NamedTuple):
    """What a loss ledger is made from."""

    scenario: Scenario
    world: World
    run: Trace


def market(symbol: str, **changes: Any) -> PerpMarket:
    """A market without fees, premium and funding, that liquidates at half the initial margin."""
    given = {
        "skew_scale": 1e9,
        "premium_bound_bps": 0,
        "maker_fee_pips": 0,
        "taker_fee_pips": 0,
        "funding_slope": 0.0,
        "interest": 0.0,
        "cooldown_s": 0,
        "tiers": (MarginTier(1000, 700, 500),),
        **changes,
    }
    return PerpMarket(symbol, **given)


def exchange(name: str = "perps", **changes: Any) -> PerpExchange:
    given = {"vault": 1e7, "insurance": 1e5, "withdraw_floor_bps": 2000, **changes}
    markets = given.pop("markets", (market("ONE"), market("TWO")))
    return PerpExchange(name, "USDX", markets, **given)


def traders(name: str = "traders", venue: str = "perps", **changes: Any) -> Traders:
    """Longs of both markets at five times their equity, with one margin behind both."""
    given = {
        "count": 6,
        "markets": (("ONE", 1.0), ("TWO", 1.0)),
        "margin_usd": 600_000.0,
        "leverage": LeverageDistribution(5.0, 0.0),
        "long_bps": 10_000,
        "markets_each": 2,
        **changes,
    }
    return Traders(name, venue, **given)


def agents(venue: str = "perps") -> list[Any]:
    liquidator = PerpLiquidator(f"{venue}-keeper", venue, max_transactions=1000, bid=FREE)
    return [liquidator, MarginCaller(f"{venue}-caller", venue, bid=FREE)]


def steps(count: int, step: float = STEP) -> tuple[float, ...]:
    return tuple(1 - step * (i + 1) for i in range(count))


def scenario(
    *,
    ones: Sequence[float] = (),
    twos: Sequence[float] = (),
    venues: Sequence[PerpExchange] = (),
    populations: Sequence[Traders] = (),
    others: Sequence[Any] = (),
    pools: Sequence[Pool] = (),
    feeds: dict[str, Any] | None = None,
    blocks: int = 12,
) -> Scenario:
    """ONE falls from 2,000 and TWO from 137 USD by these factors, one in each block from 2 on."""
    outside = ExternalMarket(1e12, 0, 0)
    pushed = PushFeed(heartbeat_s=10**9, deviation_bps=0)

    def path(factors: Sequence[float]) -> Any:
        points = tuple((SECONDS * (i + 2), factor) for i, factor in enumerate(factors))
        return SchedulePrice(points, "factor") if points else ConstantPrice()

    def asset(symbol: str, price: float, factors: Sequence[float], decimals: int = 18) -> Asset:
        feed = (feeds or {}).get(symbol, pushed)
        return Asset(symbol, path(factors), decimals, price, outside, feed)

    places = venues or (exchange(),)
    return checked(
        Scenario(
            name="cross",
            clock=Clock(blocks, SECONDS, 1_700_000_000),
            assets=(
                asset("ONE", 2000.0, ones),
                asset("TWO", 137.0, twos),
                asset("USDX", 1.0, (), 6),
            ),
            expect="quiet",
            block_space=BlockSpace(gas_limit=10**12, fee_asset="USDX"),
            venues=(*pools, *places),
            populations=tuple(populations or (traders(),)),
            agents=(*others, *(agent for place in places for agent in agents(place.name))),
        )
    )


def cut(*venues: str) -> Cuts:
    return Cuts(frozenset(Link(venue, "cross-margin") for venue in venues))


def played(made: Scenario, *cuts: Cuts, engine: Engine | None = None) -> list[Trace]:
    """A pass for each of these cuts, all from one set-up."""
    opened = engine or default_engine()
    try:
        stage = Stage(made, SEED, opened)
        return [stage.play(each) for each in cuts]
    finally:
        opened.close()


# --- where the link is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "linked"),
    [
        ({}, True),
        ({"isolated_bps": 10_000}, False),
        ({"markets_each": 1}, False),
        ({"markets_each": 1, "sub_accounts": 3}, False),
        ({"sub_accounts": 3}, True),
    ],
)
def test_the_link_is_where_several_positions_have_one_margin(changes, linked):
    made = scenario(populations=[traders(**changes)])
    found = {link.channel for link in links_of(made, set_up(made, SEED)[1])}
    assert ("cross-margin" in found) == linked


@pytest.mark.parametrize("changes", [{"isolated_bps": 10_000}, {"markets_each": 1}])
def test_cutting_it_where_there_is_none_leaves_the_digest(changes):
    made = scenario(ones=steps(40, 0.01), populations=[traders(**changes)], blocks=40)
    plain, without, nowhere = played(made, UNCUT, cut("perps"), cut("nowhere"))
    assert plain.liquidations
    assert without.digest == nowhere.digest == plain.digest


# --- what the parting does --------------------------------------------------------------------


class Kept(NamedTuple):
    """An account after block 0."""

    cash: int
    sizes: tuple[int, ...]
    collateral: tuple[int, ...]
    equity: int
    initial_margin: int


def kept(trace: Trace, venue: PerpVenue, owner: bytes) -> list[Kept]:
    """An owner's accounts after block 0."""
    census, found = trace.exchange_opening["perps"], []
    markets = len(venue.markets)
    for place, word in enumerate(census.accounts):
        if word[:20] == owner:
            row, worth = census.row(place), census.worth[place]
            sizes = tuple(halves(row[1 + 2 * market])[0] for market in range(markets))
            held = tuple(row[1 + 2 * markets :])
            found.append(Kept(halves(row[0])[0], sizes, held, worth.equity, worth.initial_margin))
    return found


@pytest.mark.parametrize(
    "overrides",
    [
        ["population.traders.sub_accounts=2"],
        ["population.traders.collateral={ETH = 1}"],
        [
            "population.traders.leverage={median = 14.2857, sigma = 0}",
            "population.traders.collateral={USDC = 1}",
        ],
        [
            "population.traders.leverage.max=6",
            "population.apart.leverage.max=4",
            "venue.perps.market.BTC.tier=[{initial_bps=1500, call_bps=1200, maintenance_bps=1000}]",
        ],
    ],
    ids=[
        "three tokens, two accounts each",
        "no cash",
        "a millionth above the initial margin",
        "unequal requirements",
    ],
)
def test_parting_moves_positions_and_their_margin_and_nothing_else(overrides):
    """Beside the accounts' words the books differ by what the vault is paid for the rounding of two
    trades a position, at most two base units. A part's equity is as its initial margin, to the
    rounding of each token it holds."""
    made = load_scenario(SMALL, [*overrides, *UNFUNDED])
    engine = default_engine()
    try:
        stage = Stage(made, SEED, engine)
        venue = stage.world.exchanges["perps"]
        numbers = range(len(venue.markets))
        listed = [venue.exchange.read(engine, "marketConfig", number) for number in numbers]
        block = Block(len(stage.setup) + 1, made.clock.start)
        new = stand_alone(engine, stage.world, made, ["perps"], block).world.exchanges["perps"]
        plain, without = stage.play(UNCUT), stage.play(cut("perps"), keep=True)
        assert [venue.exchange.read(engine, "marketConfig", number) for number in numbers] == listed
    finally:
        engine.close()
    assert not without.violations
    then, now = plain.blocks[0].exchanges["perps"], without.blocks[0].exchanges["perps"]
    assert now.states == then.states
    assert now.prices == then.prices
    assert now.books.collateral == then.books.collateral
    assert now.books.insurance == then.books.insurance
    # the worth of a base unit of every token, and the rounding of cash, cost, mark and margins
    prices = then.prices[len(venue.markets) : -1]
    indivisible = 6 + sum(
        price * venue.unit // (unit * WAD) + 1
        for price, unit in zip(prices, venue.collateral_units, strict=True)
    )
    parted = 0
    for trader, apart in zip(venue.traders, new.traders, strict=True):
        accounts, parts = (kept(t, v, trader.owner) for t, v in ((plain, venue), (without, new)))
        if trader.accounts == apart.accounts:
            assert parts == accounts
            continue
        width = len(apart.accounts) // len(accounts)
        for number, account in enumerate(accounts):
            mine = parts[number * width : (number + 1) * width]
            parted += len(mine)
            assert [sum(size != 0 for size in part.sizes) for part in mine] == [1] * width
            assert (
                tuple(map(sum, zip(*(part.sizes for part in mine), strict=True))) == account.sizes
            )
            amounts = tuple(map(sum, zip(*(part.collateral for part in mine), strict=True)))
            assert amounts == account.collateral
            assert sum(part.initial_margin for part in mine) == account.initial_margin
            lost = account.equity - sum(part.equity for part in mine)
            # to the unit in cash; each token of each part is valued in whole units
            assert 0 <= lost <= 2 * width * len(account.collateral) * any(account.collateral)
            for part in mine:
                fair = account.equity * part.initial_margin // account.initial_margin
                assert abs(part.equity - fair) <= indivisible
    paid = now.books.vault_equity - then.books.vault_equity
    assert parted > 0
    assert 0 <= paid <= 2 * parted


def test_parting_leaves_the_markets_as_they_are_while_funding_runs():
    """Premium, averages and funding of the second since set-up are the same; only funding_base,
    which is made of the accounts' words, says that the parted ones have paid theirs."""
    plain, without = played(load_scenario(SMALL), UNCUT, cut("perps"))
    then, now = plain.blocks[0].exchanges["perps"], without.blocks[0].exchanges["perps"]
    assert any(state.premium_wad for state in then.states)
    assert any(state.funding_index_wad for state in then.states)
    for one, other in zip(then.states, now.states, strict=True):
        assert one._replace(funding_base=0) == other._replace(funding_base=0)
    assert abs(then.books.vault_equity - now.books.vault_equity) < 1000  # 1e-6 USDC: rounding


def test_weights_are_the_initial_margins_the_chain_requires():
    """They add up to what the lens reads of the accounts, also where open interest raises them."""
    raised = ["venue.perps.market.ETH.open_interest_slope_bps=5000"]
    made = load_scenario(SMALL, [*UNFUNDED, *raised])
    [trace] = played(made, UNCUT)
    venue, state = set_up(made, SEED)[1].exchanges["perps"], trace.blocks[0].exchanges["perps"]
    assert state.states[0].margin_scale_bps > 10_000
    shared = 0
    for number, (trader, place) in enumerate(venue.held):
        held = trader.accounts[place]
        weights = [
            initial_margin_up(
                venue.spec.market(symbol),
                state.states[venue.markets.index(symbol)],
                size,
                venue.unit,
                venue.value_scale,
            )
            for symbol, size in held.positions
        ]
        shared += len(weights) > 1
        required = trace.exchange_opening["perps"].worth[number].initial_margin
        assert 0 <= sum(weights) - required <= len(weights)
    assert shared


def test_parts_are_whole_and_leave_nothing():
    assert divided_down(100, [1, 1, 1]) == [33, 33, 34]
    assert divided_down(7, [5_000, 1]) == [6, 1]
    assert divided_down(0, [3, 4]) == [0, 0]


# --- against the closed form, and against isolated margin -------------------------------------


def first_below(trace: Trace, fall: float) -> int:
    """The block after which the exchange's price of ONE is down by more."""
    prices = [block.exchanges["perps"].prices[0] / (2000 * WAD) for block in trace.blocks]
    return next(number for number, price in enumerate(prices) if 1 - price > fall)


@pytest.mark.parametrize("leverage", [4.0, 5.0, 8.0])
def test_cut_and_uncut_liquidate_where_the_closed_forms_say(leverage):
    """Two longs of notional N, of which ONE falls by x. With one margin E behind both, the account
    is liquidated past x = (E - 2 m N) / (N (1 - m)), and begins with the larger position, which has
    lost nothing; with E / 2 of its own, ONE is past (E / 2 - m N) / (N (1 - m)), and TWO never."""
    longs = traders(count=1, leverage=LeverageDistribution(leverage, 0.0))
    made = scenario(ones=steps(190), blocks=200, populations=[longs])
    shared, alone = played(made, UNCUT, cut("perps"))
    notional = leverage / 2  # of an equity of 1
    freed = notional * (1 - MAINTENANCE)
    together = first_below(shared, (1 - 2 * MAINTENANCE * notional) / freed)
    apart = first_below(alone, (0.5 - MAINTENANCE * notional) / freed)
    assert apart < together
    first = shared.liquidations[0]
    assert (first.unhealthy_since, first.collateral) == (together, "TWO")
    assert [(row.unhealthy_since, row.collateral) for row in alone.liquidations] == [(apart, "ONE")]


FELL = {"ones": steps(60, 0.006), "twos": steps(60, 0.002), "blocks": 66}
ANSWERS = TraderResponse(meet_bps=4000, reduce_bps=3000, fee_deposit=1e3, bid=FREE)
MANY = {"count": 24, "margin_usd": 2.4e6, "response": ANSWERS}


def beside_isolated(
    place: PerpExchange, pools: Sequence[Pool] = (), **changes: Any
) -> tuple[Trace, Trace, Trace]:
    """Of traders who fall into calls and liquidations: the run, the run without the link, and the
    run of the same traders isolated from the start."""
    common = {**FELL, "venues": [place], "pools": pools}
    given = {**MANY, **changes}
    mixed = scenario(**common, populations=[traders(**given)])
    isolated = scenario(**common, populations=[traders(**given, isolated_bps=10_000)])
    whole, without = played(mixed, UNCUT, cut("perps"))
    [expected] = played(isolated, UNCUT)
    assert len(expected.liquidations) > 5
    assert whole.liquidations != without.liquidations
    assert not [*whole.violations, *without.violations, *expected.violations]
    return whole, without, expected


@pytest.mark.parametrize("tokens", [1, 2])
def test_the_run_without_the_link_is_the_run_of_traders_isolated_from_the_start(tokens):
    """Calls, fills, liquidations, losses, markets and books after each block are the same integers,
    but for what the vault was paid in block 0 for rounding, and for the average of the premium, of
    which two accruals, that of block 0 and the next, round off one wei each."""
    changes: dict[str, Any] = {}
    place, pools = exchange(), []
    if tokens == 2:
        place = exchange(collaterals=(PerpCollateral("TWO", 1_000),))
        changes["collateral"] = (("USDX", 0.5), ("TWO", 0.5))
        pools = [Pool("two-usdx", "TWO", "USDX", 1e6, 0)]
    _, without, expected = beside_isolated(place, pools, **changes)
    assert {call.outcome for call in without.calls["perps"]} == {"met", "reduced", "ignored"}
    assert without.calls == expected.calls
    assert without.fills == expected.fills
    assert without.liquidations == expected.liquidations
    assert without.losses == expected.losses
    assert insolvency(without) == insolvency(expected)
    rounding = set()
    for one, other in zip(without.blocks, expected.blocks, strict=True):
        mine, theirs = one.exchanges["perps"], other.exchanges["perps"]
        paid = mine.books.vault_cash - theirs.books.vault_cash
        rounding.add(paid)
        books = theirs.books._replace(
            vault_cash=mine.books.vault_cash,
            vault_equity=theirs.books.vault_equity + paid,
            tokens=theirs.books.tokens + paid,
        )
        averages = [state.premium_wad for state in mine.states]
        for state, average in zip(theirs.states, averages, strict=True):
            assert abs(state.premium_wad - average) <= 2
        states = tuple(
            state._replace(premium_wad=average)
            for state, average in zip(theirs.states, averages, strict=True)
        )
        assert mine == theirs._replace(books=books, states=states)
    assert rounding <= set(range(2 * 2 * 24 + 1))
    assert len(rounding) == 1


def test_unequal_traders_are_liquidated_alike_with_premium_funding_and_volatility():
    """The same accounts at the same blocks in the same markets. Amounts differ by base units: a
    part is as its requirement, which isolated traders divide evenly; and an accrual in block 0
    divides the time before the first block in two."""
    guards = {"premium_bound_bps": 100, "skew_scale": 1e5, "volatility_target": 0.5}
    rates = {"funding_slope": 0.1, "interest": 0.0003}
    place = exchange(markets=tuple(market(s, **guards, **rates) for s in ("ONE", "TWO")))
    leverage = LeverageDistribution(3.0, 0.4, 2.0, 4.0)
    _, without, expected = beside_isolated(
        place, sub_accounts=2, margin_sigma=1.0, leverage=leverage
    )
    assert any(row.thresholds_bps[0] > 10_000 for row in expected.liquidations)
    for one, other in zip(without.liquidations, expected.liquidations, strict=True):
        assert (one.block, one.account, one.collateral) == (
            other.block,
            other.account,
            other.collateral,
        )
        assert (one.kind, one.unhealthy_since) == (other.kind, other.unhealthy_since)
        assert one.repaid == pytest.approx(other.repaid, rel=1e-6)
    assert insolvency(without)["perps"] == pytest.approx(insolvency(expected)["perps"], rel=1e-6)


# --- in the matrix ----------------------------------------------------------------------------


def neighbours(**changes: Any) -> Scenario:
    """ONE falls, TWO does not; the desk that hedges the vault of `perps` sells TWO when longs of it
    are closed, into a pool that two exchanges read. On `other`, traders hold TWO alone."""
    desk = VaultHedger("desk", "perps", inventory=(("TWO", 1e5),), cash=1e7, bid=FREE)
    return scenario(
        ones=(0.67,),
        blocks=10,
        pools=[Pool("two-usdx", "TWO", "USDX", 40_000.0, 0)],
        feeds={"TWO": PoolSpotFeed("two-usdx")},
        venues=[exchange(), exchange("other")],
        populations=[
            traders(**{"count": 10, "margin_usd": 1e6, **changes}),
            traders(
                "beside",
                "other",
                markets=(("TWO", 1.0),),
                markets_each=1,
                count=4,
                leverage=LeverageDistribution(9.0, 0.0),
            ),
        ],
        others=[desk],
    )


def test_a_loss_in_one_market_leaves_bad_debt_in_another_by_way_of_one_margin():
    """With one margin the fall of ONE closes longs of TWO, which have lost nothing; the desk sells
    TWO, and on the other exchange longs of TWO fall past their margin. Alone, no position in TWO is
    touched. The entry is what traders isolated from the start are spared."""
    result = run(neighbours(), SEED)
    found = contagion(result)
    link = Link("perps", "cross-margin")
    assert link in found.links
    assert "cross-margin" not in {link.channel for link in found.links if link.venue == "other"}
    closed = {row.collateral for row in result.run.liquidations if row.venue == "perps"}
    assert "TWO" in closed
    assert found.run["other"] > 0
    assert found.entry(link, "other") == found.run["other"]
    # ten positions of 250,000 USD lose 33% with 50,000 behind each, and 100,000 behind two
    uncovered = 10 * (82_500 - 50_000) * WAD
    assert found.run["perps"] == 0
    assert 0 <= -found.entry(link, "perps") - uncovered <= 10 * 2 * WAD // 10**6
    isolated = run(neighbours(isolated_bps=10_000), SEED)
    assert {row.collateral for row in isolated.run.liquidations} == {"ONE"}
    assert found.without[link] == insolvency(isolated.run)
    for j in found.venues:
        entries = sum(found.entry(each, j) for each in found.links)
        assert entries + found.interaction()[j] == found.run[j] - found.apart[j]


def test_the_ledger_of_a_run_without_the_link_balances_and_knows_every_account():
    """Collateral sold, calls met by selling and borrowing elsewhere, takeovers: to the base unit,
    with nothing that is nobody's, and answers of traders for the accounts of their positions."""
    made = load_scenario(SMALL)
    engine = default_engine()
    try:
        stage = Stage(made, SEED, engine)
        block = Block(len(stage.setup) + 1, made.clock.start)
        world = stand_alone(engine, stage.world, made, ["perps"], block).world
        trace = stage.play(cut("perps"))
    finally:
        engine.close()
    assert not trace.violations
    assert trace.liquidations
    rows = losses(Played(made, world, trace))
    for asset in world.tokens:
        assert sum(row.amount for row in rows if row.asset == asset) == 0
    roles = {row.role for row in rows}
    assert {"traders", "apart", "vault"} <= roles
    assert not {"exchange books", "others"} & roles
    venue = world.exchanges["perps"]
    assert {call.outcome for call in trace.calls["perps"]} >= {"met", "ignored"}
    assert all(call.account < len(venue.held) for call in trace.calls["perps"])
    for row in trace.liquidations:
        if row.venue == "perps" and row.account < len(venue.held):
            assert sum(size != 0 for size in row.position[1 : 1 + 2 * len(venue.markets) : 2]) == 1


@pytest.mark.slow
def test_a_run_without_the_link_is_the_same_on_another_engine():
    made = scenario(ones=steps(6, 0.06), blocks=10, populations=[traders(count=2)])
    [fast], [plain] = (
        played(made, cut("perps"), engine=engine) for engine in (None, open_engine("py-evm"))
    )
    assert fast.liquidations
    assert fast.digest == plain.digest


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["majors", "alts"])
def test_positions_of_members_of_a_clearing_house_stand_alone_too(venue):
    """Winners, defaulters and deleveraged accounts are those of the parted exchange."""
    without, *_ = played(load_scenario("adl-october"), cut(venue))
    assert without.waterfall
    assert all(row.account >= 0 for row in without.waterfall if "account" in row.fields)
    assert not without.violations
    assert all(without.invariants.values())
