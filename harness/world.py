"""The deployed world of a scenario: tokens, outside markets, feeds, pools, routers and venues.

``deploy`` writes the whole set-up down as transactions; nothing runs until an engine executes
them. Who is who: ``admin`` configures, ``minter`` mints, ``publisher`` states the outside prices,
``keeper`` reports to the feeds, ``builder`` charges fees, ``seeder`` pays for what is there at the
start, and ``outside`` receives what borrowers borrowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import cached_property, partial
from math import isqrt
from typing import Any

from harness.accounts import account
from harness.contracts import Contract
from harness.equipment import Holding, Purse, equip
from harness.modules.deploy import equip_participants
from harness.population import Position
from harness.protocols.clearing import ClearingVenue, deploy_clearing
from harness.protocols.isolated_lending import deploy_isolated_lending
from harness.protocols.perp_exchange import PerpVenue
from harness.protocols.perp_setup import deploy_perp_exchange
from harness.protocols.pooled_lending import (
    OUTSIDE,
    PooledLendingVenue,
    address_of,
    deploy_pooled_lending,
    feed_terms,
)
from harness.scenario import (
    PRICE_UNIT,
    RAY,
    Arbitrageur,
    BasisTrader,
    Borrowers,
    BoundedFeed,
    CappedFeed,
    ClearingHouse,
    FundingKeeper,
    FundUnwinder,
    Governor,
    Guardian,
    InventoryLiquidator,
    IsolatedLending,
    Lender,
    Lending,
    Liquidator,
    MarginCaller,
    MedianFeed,
    PerpExchange,
    PerpLiquidator,
    Pool,
    PooledLending,
    PoolSpotFeed,
    PoolTwapFeed,
    Positions,
    ProductFeed,
    PushFeed,
    Scenario,
    StuckFeed,
    Traders,
    VaultHedger,
    base_units,
    rate_ray,
)
from harness.scenario.sources import Source, by_name, feed_sources
from harness.setup import Setup
from harness.traders import Trader, lending_positions

USD = "USD"
USD_DECIMALS = 6
YEAR = 365 * 24 * 3600
#: LP wei that a pool's first mint locks for good.
LOCKED_LIQUIDITY = 1_000
MAX_UINT = (1 << 256) - 1

ADMIN = account("admin").address
MINTER = account("minter").address
PUBLISHER = account("publisher").address
BUILDER = account("builder").address
COLLECTOR = account("fee-collector").address
SEEDER = account("seeder").address
POOL_PROVIDER = account("pool-provider").address
KEEPER = account("keeper").address


@dataclass(frozen=True, slots=True)
class PoolHandle:
    """A deployed pool: token0 is the base, token1 the quote.

    ``liquidity`` is what POOL_PROVIDER had in it at first, LP wei.
    """

    contract: Contract
    base: str
    quote: str
    fee_pips: int
    liquidity: int


@dataclass(frozen=True)
class World:
    """Handles of everything a scenario deploys, by symbol or name.

    ``feeds`` holds the feed of each asset by its symbol and every source within one by its name,
    ``SYMBOL.NAME``; ``sources`` says what they are. ``relays`` holds for each venue the relays
    through which it reads the feeds it shares, by their names.
    """

    setup: Setup
    tokens: Mapping[str, Contract]
    decimals: Mapping[str, int]
    externals: Mapping[str, Contract]
    feeds: Mapping[str, Contract]
    sources: Mapping[str, Source]
    relays: Mapping[str, Mapping[str, Contract]]
    pools: Mapping[str, PoolHandle]
    venues: Mapping[str, PooledLendingVenue]
    fee_ledger: Contract
    router: Contract
    sink: Contract
    liquidation_executor: Contract
    deleverage_executor: Contract
    arbitrage_executor: Contract
    leverage_executor: Contract | None
    liquidity_executor: Contract | None
    lens: Contract
    symbols: Mapping[bytes, str]
    holders: Sequence[bytes]
    exchanges: Mapping[str, PerpVenue] = field(default_factory=dict)
    clearing: Mapping[str, ClearingVenue] = field(default_factory=dict)

    @cached_property
    def units(self) -> Mapping[str, int]:
        """Base units of a whole token, by symbol."""
        return {symbol: 10**places for symbol, places in self.decimals.items()}

    @cached_property
    def pools_at(self) -> Mapping[bytes, PoolHandle]:
        """The pools by address."""
        return {pool.contract.address: pool for pool in self.pools.values()}

    def final_reads(self) -> list[tuple[bytes, bytes]]:
        """The reads whose return values close a run's digest."""
        reads = [read for venue in self.venues.values() for read in venue.final_reads()]
        return reads + [read for held in self.exchanges.values() for read in held.final_reads()]

    def pool_of(self, sold: str, bought: str) -> str | None:
        """Name of the pool through which forced trades of this pair go."""
        for name, pool in self.pools.items():
            if {pool.base, pool.quote} == {sold, bought}:
                return name
        return None


def recovery_per_second_ray(half_life_s: int) -> int:
    """The factor r (RAY) by which displacement decays each second: 2^(-1/half-life)."""
    if half_life_s == 0:
        return RAY
    with localcontext() as context:
        context.prec = 60
        return int((Decimal(2) ** (Decimal(-1) / half_life_s)).scaleb(27))


def quote_reserve(base_reserve: int, base_price: int, quote_price: int, decimals: int) -> int:
    """Quote units worth the base reserve; ``decimals`` is quote's less base's."""
    worth = base_reserve * base_price
    scaled: int = worth * 10**decimals if decimals >= 0 else worth // 10**-decimals
    return scaled // quote_price


class _Seeder:
    """Mints what the set-up needs: sums first, so that each token is minted to SEEDER once."""

    def __init__(self, setup: Setup, tokens: Mapping[str, Contract]) -> None:
        self._setup = setup
        self._tokens = tokens

    def mint(self, symbol: str, to: bytes, amount: int) -> None:
        if amount:
            self._setup.send(MINTER, self._tokens[symbol], "mint", to, amount)

    def approve(self, symbol: str, owner: bytes, spender: Contract) -> None:
        self._setup.send(owner, self._tokens[symbol], "approve", spender.address, MAX_UINT)


def deploy(
    scenario: Scenario,
    start_prices: Mapping[str, int],
    positions: Mapping[str, Sequence[Position]],
    traders: Mapping[str, Sequence[Trader]] | None = None,
) -> World:
    """Writes down the set-up of a scenario.

    start_prices: 8-decimal USD prices of block 0, by symbol
    positions: the positions of each lending venue, by its name
    traders: the traders of each exchange, by its name
    """
    traders = traders or {}
    setup = Setup()
    decimals = {asset.symbol: asset.decimals for asset in scenario.assets} | {USD: USD_DECIMALS}
    tokens = {
        symbol: setup.deploy("Token", symbol, symbol, places, MINTER)
        for symbol, places in decimals.items()
    }
    seeder = _Seeder(setup, tokens)
    externals = _deploy_externals(scenario, setup, seeder, tokens, start_prices)
    pools = _deploy_pools(scenario, setup, seeder, tokens, start_prices)
    feeds = _deploy_feeds(scenario, setup, tokens, pools, start_prices)
    relays = _deploy_relays(scenario, setup, feeds)

    router = setup.deploy("ForcedTradeRouter", ADMIN)
    sink = setup.deploy("Sink", router.address)
    setup.send(ADMIN, router, "setSink", sink.address)
    routed: set[frozenset[str]] = set()
    for pool in pools.values():
        pair = frozenset((pool.base, pool.quote))
        if pair not in routed:  # the first of a pair, as `World.pool_of`
            base, quote = tokens[pool.base].address, tokens[pool.quote].address
            setup.send(ADMIN, router, "setPool", base, quote, pool.contract.address)
        routed.add(pair)
    fee_ledger = setup.deploy(
        "FeeLedger", tokens[scenario.block_space.fee_asset].address, BUILDER, COLLECTOR
    )
    liquidation_executor = setup.deploy("LiquidationExecutor", router.address)
    deleverage_executor = setup.deploy("DeleverageExecutor", router.address)
    arbitrage_executor = setup.deploy("ArbitrageExecutor")

    isolated_executors: tuple[Contract, Contract] | None = None
    if scenario.venues_of(IsolatedLending):
        isolated_executors = (
            setup.deploy("IsolatedLiquidator", router.address),
            setup.deploy("IsolatedDeleverager", router.address),
        )
    flash_liquidator = None
    if any(agent.funding == "flash-loan" for agent in scenario.agents_of(Liquidator)):
        flash_liquidator = setup.deploy("FlashLiquidator", router.address)
    borrowing: dict[str, list[Position]] = {}
    for position in lending_positions(traders):
        borrowing.setdefault(position.venue, []).append(position)
    venues: dict[str, PooledLendingVenue] = {}
    sink_stock: dict[str, int] = dict.fromkeys(decimals, 0)
    for spec in scenario.venues_of(Lending):
        held = [*positions.get(spec.name, ()), *borrowing.get(spec.name, ())]
        read = {**feeds, **relays[spec.name]}
        if isinstance(spec, PooledLending):
            venues[spec.name] = deploy_pooled_lending(
                setup,
                spec,
                held,
                tokens=tokens,
                feeds=read,
                decimals=decimals,
                scenario=scenario,
                liquidation_executor=liquidation_executor,
                deleverage_executor=deleverage_executor,
                flash_liquidator=flash_liquidator,
                router=router,
                mint=seeder.mint,
                approve=seeder.approve,
                seeder=SEEDER,
                admin=ADMIN,
            )
        elif isinstance(spec, IsolatedLending) and isolated_executors:
            liquidator, deleverager = isolated_executors
            venues[spec.name] = deploy_isolated_lending(
                setup,
                spec,
                held,
                tokens=tokens,
                decimals=decimals,
                feed_terms=partial(feed_terms, scenario, read),
                liquidator=liquidator,
                deleverager=deleverager,
                mint=seeder.mint,
                approve=seeder.approve,
                seeder=SEEDER,
            )
        _add_sink_stock(sink_stock, held, start_prices, decimals)
    exchanges: dict[str, PerpVenue] = {}
    for exchange in scenario.venues_of(PerpExchange):
        exchanges[exchange.name] = deploy_perp_exchange(
            setup,
            exchange,
            traders.get(exchange.name, ()),
            _participants(scenario, exchange.name),
            tokens=tokens,
            feeds={**feeds, **relays[exchange.name]},
            decimals=decimals,
            scenario=scenario,
            router=router,
            mint=seeder.mint,
            approve=seeder.approve,
            seeder=SEEDER,
            admin=ADMIN,
        )
        _add_exchange_stock(sink_stock, exchanges[exchange.name], start_prices, decimals)
    clearing = {
        spec.name: deploy_clearing(
            setup,
            spec,
            exchanges,
            tokens=tokens,
            decimals=decimals,
            mint=seeder.mint,
            approve=seeder.approve,
            seeder=SEEDER,
            admin=ADMIN,
        )
        for spec in scenario.venues_of(ClearingHouse)
    }
    _supply_lenders(scenario, setup, seeder, tokens, decimals, venues)
    for symbol, amount in sink_stock.items():
        seeder.mint(symbol, sink.address, amount)

    modules = {name: venue.module for name, venue in venues.items() if venue.module is not None}
    equip_participants(
        setup,
        scenario,
        modules,
        router,
        decimals=decimals,
        mint=seeder.mint,
        approve=seeder.approve,
    )
    fee_deposits = _fund_agents(
        scenario, seeder, decimals, venues, router, liquidation_executor, arbitrage_executor
    )
    fee_deposits |= _fund_exchange_agents(scenario, seeder, decimals, exchanges, router)
    for population in scenario.populations:
        if isinstance(population, Borrowers | Positions):
            deposit = base_units(
                population.response.fee_deposit, decimals[scenario.block_space.fee_asset]
            )
            for position in positions.get(population.venue, ()):
                if position.population == population.name and position.action != "nothing":
                    fee_deposits[address_of(position)] = deposit
    executors = equip(
        setup,
        scenario,
        usd=Purse(USD, USD_DECIMALS),
        provider=POOL_PROVIDER,
        pools={name: Holding(pool.contract, pool.liquidity) for name, pool in pools.items()},
        markets={name: venue.market for name, venue in venues.items()},
        mint=seeder.mint,
        approve=seeder.approve,
        unlimited=MAX_UINT,
    )
    _deposit_fees(setup, seeder, scenario.block_space.fee_asset, fee_ledger, fee_deposits)

    lens = setup.deploy("WorldLens")
    people = [OUTSIDE, ADMIN, MINTER, PUBLISHER, BUILDER, COLLECTOR, SEEDER, POOL_PROVIDER, KEEPER]
    holders = dict.fromkeys(people)
    holders.update(dict.fromkeys(setup.contracts))
    holders.update(dict.fromkeys(fee_deposits))
    for venue in venues.values():
        holders.update(dict.fromkeys(venue.people))
    holders.update(dict.fromkeys(_purses(scenario)))
    for held_exchange in exchanges.values():
        holders.update(dict.fromkeys(held_exchange.people))
    return World(
        setup=setup,
        tokens=tokens,
        decimals=decimals,
        externals=externals,
        feeds=feeds,
        sources=by_name(feed_sources(scenario)),
        relays=relays,
        pools=pools,
        venues=venues,
        fee_ledger=fee_ledger,
        router=router,
        sink=sink,
        liquidation_executor=liquidation_executor,
        deleverage_executor=deleverage_executor,
        arbitrage_executor=arbitrage_executor,
        leverage_executor=executors.leverage,
        liquidity_executor=executors.liquidity,
        lens=lens,
        symbols={token.address: symbol for symbol, token in tokens.items()},
        holders=tuple(holders),
        exchanges=exchanges,
        clearing=clearing,
    )


def _deploy_externals(
    scenario: Scenario,
    setup: Setup,
    seeder: _Seeder,
    tokens: Mapping[str, Contract],
    start_prices: Mapping[str, int],
) -> dict[str, Contract]:
    externals: dict[str, Contract] = {}
    for asset in scenario.assets:
        outside = asset.external
        if outside is None:
            continue
        price = start_prices[asset.symbol]
        depth = outside.depth_base(price, asset.decimals)
        market = setup.deploy(
            "ExternalMarket",
            tokens[asset.symbol].address,
            tokens[USD].address,
            PUBLISHER,
            depth,
            recovery_per_second_ray(outside.half_life_s),
            outside.fee_pips,
            price,
        )
        worth = depth * price * 10**USD_DECIMALS // (PRICE_UNIT * 10**asset.decimals)
        stock = int(depth * Decimal(repr(outside.inventory_base_multiple)))
        cash = int(worth * Decimal(repr(outside.inventory_usd_multiple)))
        seeder.mint(asset.symbol, market.address, stock)
        seeder.mint(USD, market.address, cash)
        externals[asset.symbol] = market
    return externals


def _deploy_pools(
    scenario: Scenario,
    setup: Setup,
    seeder: _Seeder,
    tokens: Mapping[str, Contract],
    start_prices: Mapping[str, int],
) -> dict[str, PoolHandle]:
    pools: dict[str, PoolHandle] = {}
    for spec in scenario.venues_of(Pool):
        base, quote = scenario.asset(spec.base), scenario.asset(spec.quote)
        contract = setup.deploy(
            "ConstantProductPool",
            tokens[spec.base].address,
            tokens[spec.quote].address,
            spec.fee_pips,
        )
        reserve = base_units(spec.base_reserve, base.decimals)
        other = quote_reserve(
            reserve,
            start_prices[spec.base],
            start_prices[spec.quote],
            quote.decimals - base.decimals,
        )
        seeder.mint(spec.base, contract.address, reserve)
        seeder.mint(spec.quote, contract.address, other)
        setup.send(POOL_PROVIDER, contract, "mint", POOL_PROVIDER)
        liquidity = isqrt(reserve * other) - LOCKED_LIQUIDITY
        pools[spec.name] = PoolHandle(contract, spec.base, spec.quote, spec.fee_pips, liquidity)
    return pools


def _deploy_feeds(
    scenario: Scenario,
    setup: Setup,
    tokens: Mapping[str, Contract],
    pools: Mapping[str, PoolHandle],
    start_prices: Mapping[str, int],
) -> dict[str, Contract]:
    """Every feed by the name of its source, each after those it reads."""
    sources = feed_sources(scenario)
    feeds: dict[str, Contract] = {}

    def transmit(source: Source) -> None:
        answer = feed_answer(start_prices[source.symbol], source.decimals)
        setup.send(KEEPER, feeds[source.name], "transmit", answer)

    averages: list[tuple[PoolTwapFeed, Contract]] = []
    for source in sources:
        kind, args = _feed_terms(scenario, source, tokens, pools, feeds, start_prices)
        feeds[source.name] = setup.deploy(kind, *args)
        if isinstance(source.feed, PushFeed):
            transmit(source)
        if isinstance(source.feed, PoolTwapFeed):
            averages.append((source.feed, feeds[source.name]))
    if averages:
        _fill_averages(setup, averages)
        for source in sources:
            if isinstance(source.feed, PushFeed):
                transmit(source)  # the first report is a window old by now
    return feeds


def _deploy_relays(
    scenario: Scenario, setup: Setup, feeds: Mapping[str, Contract]
) -> dict[str, dict[str, Contract]]:
    """For each lending venue and exchange a relay to every feed that another one reads too.

    Venues that share no feed read theirs directly.
    """
    read = {
        spec.name: tuple(listing.feed_name for listing in spec.assets)
        for spec in scenario.venues_of(Lending)
    }
    read |= {spec.name: spec.symbols for spec in scenario.venues_of(PerpExchange)}
    readers = Counter(feed for names in read.values() for feed in names)
    return {
        name: {
            feed: setup.deploy("RelayFeed", KEEPER, feeds[feed].address)
            for feed in names
            if readers[feed] > 1
        }
        for name, names in read.items()
    }


def _fill_averages(setup: Setup, averages: Sequence[tuple[PoolTwapFeed, Contract]]) -> None:
    """Lets a window pass with an observation at each of its spacings."""
    due = sorted(
        (number * spec.spacing_s, place)
        for place, (spec, _) in enumerate(averages)
        for number in range(spec.granularity + 1)
    )
    passed = 0
    for at, place in due:
        if at > passed:
            setup.wait(at - passed)
            passed = at
        setup.send(KEEPER, averages[place][1], "poke")


def _feed_terms(
    scenario: Scenario,
    source: Source,
    tokens: Mapping[str, Contract],
    pools: Mapping[str, PoolHandle],
    feeds: Mapping[str, Contract],
    start_prices: Mapping[str, int],
) -> tuple[str, tuple[Any, ...]]:
    """The contract of a feed and what it is constructed with."""
    spec, symbol = source.feed, source.symbol
    title = f"{symbol} / USD"
    if source.name != symbol:
        title += f" ({source.name.partition('.')[2]})"
    read = [feeds[name].address for name in source.reads]
    if isinstance(spec, PushFeed):
        return "PushFeed", (KEEPER, spec.decimals, title)
    if isinstance(spec, PoolSpotFeed):
        pool = pools[spec.pool].contract.address
        token = tokens[symbol].address
        title = f"{symbol} / USD (pool)"
        return "PoolSpotFeed", (pool, token, read[0], spec.decimals, title)
    if isinstance(spec, PoolTwapFeed):
        pool, token = pools[spec.pool].contract.address, tokens[symbol].address
        window = (spec.window_s, spec.granularity, spec.decimals)
        return "PoolTwapFeed", (pool, token, read[0], *window, title)
    if isinstance(spec, MedianFeed):
        return "MedianFeed", (read, spec.source_max_age_s, spec.quorum, spec.decimals, title)
    if isinstance(spec, BoundedFeed):
        return "BoundedFeed", (read[0], read[1], spec.max_deviation_bps, spec.clamps, title)
    if isinstance(spec, StuckFeed):
        stale = spec.stale_from_s
        until = MAX_UINT if stale is None else scenario.clock.start + stale
        minimum = base_units(spec.minimum_usd, source.decimals)
        return "StuckFeed", (read[0], minimum, until, title)
    if isinstance(spec, CappedFeed):
        terms = capped_terms(scenario, source, start_prices)
        return "CappedGrowthFeed", (read[0], *terms, title)
    if isinstance(spec, ProductFeed):
        return "ProductFeed", (read[0], read[1], spec.decimals, title)
    raise TypeError(f"{source.name} has no contract")  # validation refuses such a scenario


def capped_terms(
    scenario: Scenario, source: Source, start_prices: Mapping[str, int]
) -> tuple[int, int, int]:
    """A capped feed's reference in its decimals, the reference's time, its growth a second
    (RAY)."""
    spec = source.feed
    if not isinstance(spec, CappedFeed):
        raise TypeError(f"{source.name} is not capped")
    if spec.reference_usd is None:
        reference = feed_answer(start_prices[source.symbol], source.decimals)
    else:
        reference = base_units(spec.reference_usd, source.decimals)
    growth = rate_ray(spec.growth_per_year) // YEAR
    return reference, scenario.clock.start - spec.reference_age_s, growth


def feed_answer(price: int, feed_decimals: int) -> int:
    """A feed's answer for an 8-decimal price, rounded down where the feed is coarser."""
    answer: int = price * 10**feed_decimals // PRICE_UNIT
    return answer


def _add_sink_stock(
    stock: dict[str, int],
    positions: Sequence[Position],
    start_prices: Mapping[str, int],
    decimals: Mapping[str, int],
) -> None:
    """Every asset the sink may have to pay out: ten times all collateral's worth of each debt."""
    debts = {symbol for position in positions for symbol, _ in position.borrowed}
    worth = sum(
        amount * start_prices[symbol] // 10 ** decimals[symbol]
        for position in positions
        for symbol, amount in position.supplied
    )
    for symbol in debts:
        stock[symbol] += 10 * worth * 10 ** decimals[symbol] // start_prices[symbol]


def _add_exchange_stock(
    stock: dict[str, int],
    venue: PerpVenue,
    start_prices: Mapping[str, int],
    decimals: Mapping[str, int],
) -> None:
    """Ten times all notional's and all collateral's worth of the settlement token, and of each
    market's asset ten times the open interest, for hedges that the sink fills."""
    worth = 0
    for trader, place in venue.held:
        for symbol, size in trader.accounts[place].positions:
            worth += abs(size) * start_prices[symbol] // 10**18
            if symbol in stock:
                stock[symbol] += 10 * abs(size) * 10 ** decimals[symbol] // 10**18
        for symbol, amount in trader.accounts[place].deposits:
            worth += amount * start_prices[symbol] // 10 ** decimals[symbol]
    unit = 10 ** decimals[venue.settlement]
    stock[venue.settlement] += 10 * worth * unit // start_prices[venue.settlement]


def _participants(scenario: Scenario, venue: str) -> list[bytes]:
    """Agents that an exchange may reward."""
    return [
        account(agent.name, index).address
        for agent in scenario.agents_of(PerpLiquidator)
        if agent.venue == venue
        for index in range(agent.count)
    ]


_EXCHANGE_AGENTS = (
    PerpLiquidator,
    MarginCaller,
    FundingKeeper,
    FundUnwinder,
    VaultHedger,
    BasisTrader,
)


def _fund_exchange_agents(
    scenario: Scenario,
    seeder: _Seeder,
    decimals: Mapping[str, int],
    exchanges: Mapping[str, PerpVenue],
    router: Contract,
) -> dict[bytes, int]:
    """Mints what agents of exchanges hold, spot and cash; returns fee deposits, those of traders
    who answer margin calls among them."""
    fee_decimals = decimals[scenario.block_space.fee_asset]
    deposits: dict[bytes, int] = {}
    for agent in scenario.agents:
        if isinstance(agent, _EXCHANGE_AGENTS):
            for index in range(agent.count):
                owner = account(agent.name, index).address
                deposits[owner] = base_units(agent.fee_deposit, fee_decimals)
    for basis in scenario.agents_of(BasisTrader):
        for index in range(basis.count):
            owner = account(basis.name, index).address
            amount = base_units(basis.position, decimals[basis.market])
            seeder.mint(basis.market, owner, amount)
            seeder.approve(basis.market, owner, router)
    for hedger in scenario.agents_of(VaultHedger):
        owner = account(hedger.name).address
        for symbol, amount in hedge_inventory(hedger, exchanges[hedger.venue], decimals).items():
            seeder.mint(symbol, owner, amount)
            seeder.approve(symbol, owner, router)
    for population in scenario.populations:
        if isinstance(population, Traders):
            deposit = base_units(population.response.fee_deposit, fee_decimals)
            for trader in exchanges[population.venue].traders:
                if trader.group == population.name and trader.answer != "nothing":
                    deposits[trader.owner] = deposit
    return deposits


def hedge_inventory(
    hedger: VaultHedger, venue: PerpVenue, decimals: Mapping[str, int]
) -> dict[str, int]:
    """What a hedging desk holds at the start, in base units: of each market's asset its inventory
    and the hedge of the net open interest, and its cash in the settlement token."""
    skews = dict.fromkeys(venue.markets, 0)
    for trader, place in venue.held:
        for symbol, size in trader.accounts[place].positions:
            skews[symbol] += size
    held: dict[str, int] = {}
    for symbol, skew in skews.items():
        stock = base_units(dict(hedger.inventory).get(symbol, 0.0), decimals[symbol])
        hedge = skew * hedger.ratio_bps * 10 ** decimals[symbol] // (10**18 * 10_000)
        held[symbol] = max(0, stock + hedge)
    settlement = base_units(hedger.cash, decimals[venue.settlement])
    held[venue.settlement] = held.get(venue.settlement, 0) + settlement
    return held


def _fund_agents(
    scenario: Scenario,
    seeder: _Seeder,
    decimals: Mapping[str, int],
    venues: Mapping[str, PooledLendingVenue],
    router: Contract,
    liquidation_executor: Contract,
    arbitrage_executor: Contract,
) -> dict[bytes, int]:
    """Mints agents' capital and has them approve their executor; returns their fee deposits.

    An agent from outside has what its fields ``capital`` and ``fee_deposit`` say, if it has them,
    on ``account(name, index)``; what it wants to approve it approves by an order.
    """
    fee_decimals = decimals[scenario.block_space.fee_asset]
    deposits: dict[bytes, int] = {}
    for liquidator in scenario.agents_of(Liquidator):
        for index in range(liquidator.count):
            owner = account(liquidator.name, index).address
            deposits[owner] = base_units(liquidator.fee_deposit, fee_decimals)
            for symbol, amount in liquidator.capital:
                seeder.mint(symbol, owner, base_units(amount, decimals[symbol]))
                seeder.approve(symbol, owner, liquidation_executor)
    for keeper in scenario.agents_of(InventoryLiquidator):
        venue = venues[keeper.venue]
        for index in range(keeper.count):
            owner = account(keeper.name, index).address
            deposits[owner] = base_units(keeper.fee_deposit, fee_decimals)
            for symbol, amount in keeper.capital:
                seeder.mint(symbol, owner, base_units(amount, decimals[symbol]))
            for symbol in venue.assets:
                seeder.approve(symbol, owner, venue.market)
                seeder.approve(symbol, owner, router)
    stewards: list[Guardian | Governor] = [*scenario.agents_of(Guardian)]
    stewards += scenario.agents_of(Governor)
    for steward in stewards:
        deposits[ADMIN] = deposits.get(ADMIN, 0) + base_units(steward.fee_deposit, fee_decimals)
    for arbitrageur in scenario.agents_of(Arbitrageur):
        for index in range(arbitrageur.count):
            owner = account(arbitrageur.name, index).address
            deposits[owner] = base_units(arbitrageur.fee_deposit, fee_decimals)
            seeder.mint(USD, owner, base_units(arbitrageur.capital_usd, USD_DECIMALS))
            seeder.approve(USD, owner, arbitrage_executor)
    for outside in scenario.agents:
        if isinstance(
            outside,
            (
                Liquidator,
                InventoryLiquidator,
                Guardian,
                Governor,
                Arbitrageur,
                *_EXCHANGE_AGENTS,
            ),
        ):
            continue
        for index in range(outside.count):
            owner = account(outside.name, index).address
            deposits[owner] = base_units(getattr(outside, "fee_deposit", 0.0), fee_decimals)
            for symbol, amount in getattr(outside, "capital", ()):
                seeder.mint(symbol, owner, base_units(amount, decimals[symbol]))
    return deposits


def _supply_lenders(
    scenario: Scenario,
    setup: Setup,
    seeder: _Seeder,
    tokens: Mapping[str, Contract],
    decimals: Mapping[str, int],
    venues: Mapping[str, PooledLendingVenue],
) -> None:
    """Supplies what lenders of several markets have in each."""
    for spec in scenario.agents_of(Lender):
        amount = base_units(spec.supplied, decimals[spec.asset])
        for name in spec.venues:
            market = venues[name].market
            owners = [account(spec.name, index).address for index in range(spec.count)]
            venues[name].suppliers += tuple(owners)
            seeder.mint(spec.asset, SEEDER, amount * spec.count)
            seeder.approve(spec.asset, SEEDER, market)
            for owner in owners:
                setup.send(SEEDER, market, "supply", tokens[spec.asset].address, amount, owner)


def _purses(scenario: Scenario) -> list[bytes]:
    """Accounts that liquidators of several venues have only where they share no capital."""
    return [
        account(spec.purse(venue), index).address
        for spec in scenario.agents_of(Liquidator)
        if spec.further_venues
        for venue in spec.serves
        for index in range(spec.count)
    ]


def _deposit_fees(
    setup: Setup,
    seeder: _Seeder,
    fee_asset: str,
    fee_ledger: Contract,
    deposits: Mapping[bytes, int],
) -> None:
    seeder.mint(fee_asset, SEEDER, sum(deposits.values()))
    seeder.approve(fee_asset, SEEDER, fee_ledger)
    for payer, amount in deposits.items():
        if amount:
            setup.send(SEEDER, fee_ledger, "deposit", payer, amount)
