"""The deployed world of a scenario: tokens, outside markets, feeds, pools, routers and venues.

``deploy`` writes the whole set-up down as transactions; nothing runs until an engine executes
them. Who is who: ``admin`` configures, ``minter`` mints, ``publisher`` states the outside prices,
``keeper`` reports to the feeds, ``builder`` charges fees, ``seeder`` pays for what is there at the
start, and ``outside`` receives what borrowers borrowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import cached_property, partial
from math import isqrt

from harness.accounts import account
from harness.contracts import Contract
from harness.equipment import Holding, Purse, equip
from harness.errors import ScenarioError
from harness.feeds import KEEPER, MAX_UINT, FeedRig
from harness.modules.deploy import equip_participants
from harness.population import Position
from harness.protocols.clearing import ClearingVenue, deploy_clearing
from harness.protocols.curated_vault import VaultHandle, deploy_vault, deposits_of
from harness.protocols.isolated_lending import (
    IsolatedLendingVenue,
    deploy_isolated_lending,
    open_isolated_positions,
)
from harness.protocols.perp_exchange import PerpVenue
from harness.protocols.perp_setup import deploy_perp_exchange
from harness.protocols.pooled_lending import (
    OUTSIDE,
    PooledLendingVenue,
    address_of,
    deploy_pooled_lending,
    feed_terms,
    open_pooled_positions,
)
from harness.scenario import (
    PRICE_UNIT,
    RAY,
    Arbitrageur,
    BasisTrader,
    Borrowers,
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
    PerpExchange,
    PerpLiquidator,
    Pool,
    PooledLending,
    Positions,
    Scenario,
    Traders,
    Vault,
    VaultHedger,
    base_units,
)
from harness.scenario.sources import Source, by_name, feed_sources
from harness.setup import Setup
from harness.traders import Trader, lending_positions

USD = "USD"
USD_DECIMALS = 6
YEAR = 365 * 24 * 3600
#: LP wei that a pool's first mint locks for good.
LOCKED_LIQUIDITY = 1_000

ADMIN = account("admin").address
MINTER = account("minter").address
PUBLISHER = account("publisher").address
BUILDER = account("builder").address
COLLECTOR = account("fee-collector").address
SEEDER = account("seeder").address
POOL_PROVIDER = account("pool-provider").address


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
    vaults: Mapping[str, VaultHandle] = field(default_factory=dict)
    vault_lens: Contract | None = None

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
        reads += [read for vault in self.vaults.values() for read in vault.final_reads()]
        return reads + [read for held in self.exchanges.values() for read in held.final_reads()]

    @cached_property
    def vault_of(self) -> Mapping[str, VaultHandle]:
        """The vaults by the symbols of their shares."""
        return {vault.spec.share: vault for vault in self.vaults.values()}

    def can_sell(self, sold: str, bought: str) -> bool:
        """Whether a forced trade of this pair has somewhere to go."""
        if sold in self.vault_of:
            sold = self.vault_of[sold].spec.asset
            if sold == bought:
                return True
        return self.pool_of(sold, bought) is not None

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
    """Mints what the set-up needs; shares of vaults, which nobody can mint, are SEEDER's at first
    and handed out."""

    def __init__(self, setup: Setup, tokens: Mapping[str, Contract], shares: set[str]) -> None:
        self._setup = setup
        self._tokens = tokens
        #: shares of vaults handed out, or kept to be supplied, by symbol
        self.handed_out = dict.fromkeys(sorted(shares), 0)

    def mint(self, symbol: str, to: bytes, amount: int) -> None:
        if symbol in self.handed_out:
            self.handed_out[symbol] += amount
            if amount and to != SEEDER:
                self._setup.send(SEEDER, self._tokens[symbol], "transfer", to, amount)
        elif amount:
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
    shares = {vault.share for vault in scenario.venues_of(Vault)}
    tokens = {
        symbol: setup.deploy("Token", symbol, symbol, places, MINTER)
        for symbol, places in decimals.items()
        if symbol not in shares
    }
    seeder = _Seeder(setup, tokens, shares)
    externals = _deploy_externals(scenario, setup, seeder, tokens, start_prices)
    pools = _deploy_pools(scenario, setup, seeder, tokens, start_prices)
    rig = FeedRig(setup, scenario, tokens, start_prices)
    rig.deploy({name: pool.contract for name, pool in pools.items()}, {})

    router = setup.deploy("RedeemingRouter" if shares else "ForcedTradeRouter", ADMIN)
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

    def deploy_lending(spec: Lending, held: Sequence[Position]) -> PooledLendingVenue:
        read = rig.read_by(spec.name)
        if isinstance(spec, IsolatedLending) and isolated_executors:
            liquidator, deleverager = isolated_executors
            return deploy_isolated_lending(
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
        if not isinstance(spec, PooledLending):
            raise TypeError(f"{spec.name}: no contract lends so")  # validation refuses it
        return deploy_pooled_lending(
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

    def open_positions(venue: PooledLendingVenue) -> None:
        mint, approve = seeder.mint, seeder.approve
        if isinstance(venue, IsolatedLendingVenue):
            open_isolated_positions(setup, venue, mint=mint, approve=approve, seeder=SEEDER)
        else:
            open_pooled_positions(
                setup, venue, mint=mint, approve=approve, seeder=SEEDER, admin=ADMIN
            )

    borrowing: dict[str, list[Position]] = {}
    for position in lending_positions(traders):
        borrowing.setdefault(position.venue, []).append(position)
    venues: dict[str, PooledLendingVenue] = {}
    vaults: dict[str, VaultHandle] = {}
    unopened: list[str] = []
    sink_stock: dict[str, int] = dict.fromkeys(decimals, 0)
    for place, spec in enumerate(scenario.venues):
        if isinstance(spec, Vault):
            vault = deploy_vault(
                setup,
                spec,
                venues,
                tokens,
                decimals,
                mint=seeder.mint,
                approve=seeder.approve,
                seeder=SEEDER,
            )
            vaults[spec.name], tokens[spec.share] = vault, vault.vault
            setup.send(ADMIN, router, "setRedeems", vault.vault.address, True)
            rig.deploy({}, {spec.share: vault.vault})
        elif isinstance(spec, Lending):
            held = [*positions.get(spec.name, ()), *borrowing.get(spec.name, ())]
            venues[spec.name] = deploy_lending(spec, held)
            unopened.append(spec.name)
            _add_sink_stock(sink_stock, scenario, held, start_prices, decimals)
        # positions are opened once everybody who lends to their market is there
        left = {
            market.venue
            for later in scenario.venues[place + 1 :]
            if isinstance(later, Vault)
            for market in later.markets
        }
        for name in [name for name in unopened if name not in left]:
            open_positions(venues[name])
            unopened.remove(name)
    exchanges: dict[str, PerpVenue] = {}
    for exchange in scenario.venues_of(PerpExchange):
        exchanges[exchange.name] = deploy_perp_exchange(
            setup,
            exchange,
            traders.get(exchange.name, ()),
            _participants(scenario, exchange.name),
            tokens=tokens,
            feeds=rig.read_by(exchange.name),
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

    for vault in vaults.values():
        symbol = vault.spec.share
        left_over = deposits_of(vault.spec, decimals) - seeder.handed_out[symbol]
        if left_over < 0:
            path = f"venue.{vault.spec.name}.market"
            allowed = (
                f"at least the {-left_over / 10 ** decimals[symbol]:g} {symbol} more that others"
            )
            raise ScenarioError(path, f"deposits of {vault.spec.deposits:g}", f"{allowed} have")
        seeder.mint(symbol, vault.passive, left_over)

    lens = setup.deploy("WorldLens")
    vault_lens = setup.deploy("VaultLens") if vaults else None
    people = [OUTSIDE, ADMIN, MINTER, PUBLISHER, BUILDER, COLLECTOR, SEEDER, POOL_PROVIDER, KEEPER]
    holders = dict.fromkeys(people)
    holders.update(dict.fromkeys(setup.contracts))
    holders.update(dict.fromkeys(fee_deposits))
    for venue in venues.values():
        holders.update(dict.fromkeys(venue.people))
    holders.update(dict.fromkeys(_purses(scenario)))
    for vault in vaults.values():
        holders.update(dict.fromkeys((vault.curator, vault.passive)))
    for held_exchange in exchanges.values():
        holders.update(dict.fromkeys(held_exchange.people))
    return World(
        setup=setup,
        tokens=tokens,
        decimals=decimals,
        externals=externals,
        feeds=rig.feeds,
        sources=by_name(feed_sources(scenario)),
        relays=rig.relays,
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
        vaults=vaults,
        vault_lens=vault_lens,
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


def _add_sink_stock(
    stock: dict[str, int],
    scenario: Scenario,
    positions: Sequence[Position],
    start_prices: Mapping[str, int],
    decimals: Mapping[str, int],
) -> None:
    """Every asset the sink may have to pay out: ten times all collateral's worth of each debt, and
    of each asset that shares among the collateral are redeemed for."""
    debts = {symbol for position in positions for symbol, _ in position.borrowed}
    supplied = {symbol for position in positions for symbol, _ in position.supplied}
    debts |= {vault.asset for vault in scenario.venues_of(Vault) if vault.share in supplied}
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
