"""The deployed world of a scenario: tokens, outside markets, feeds, pools, routers and venues.

``deploy`` writes the whole set-up down as transactions; nothing runs until an engine executes
them. `harness.people` says who is who.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import cached_property
from math import isqrt

from harness.contracts import Contract
from harness.equipment import Holding, Purse, equip
from harness.errors import ScenarioError
from harness.feeds import MAX_UINT, FeedRig
from harness.funding import (
    Seeder,
    deposit_fees,
    fund_agents,
    fund_exchange_agents,
    participants,
    purses,
    supply_lenders,
)
from harness.lending_rig import LendingRig, deploy_executors
from harness.modules.deploy import equip_participants
from harness.people import (
    ADMIN,
    BUILDER,
    COLLECTOR,
    GUARANTOR,
    KEEPER,
    MINTER,
    OUTSIDE,
    POOL_PROVIDER,
    PUBLISHER,
    SEEDER,
    USD,
    USD_DECIMALS,
)
from harness.population import Position
from harness.protocols.clearing import ClearingVenue, deploy_clearing
from harness.protocols.curated_vault import VaultHandle, deposits_of
from harness.protocols.perp_exchange import PerpVenue
from harness.protocols.perp_setup import deploy_perp_exchange
from harness.protocols.pooled_lending import PooledLendingVenue, address_of
from harness.scenario import (
    PRICE_UNIT,
    RAY,
    Borrowers,
    ClearingHouse,
    Lending,
    PerpExchange,
    Pool,
    Positions,
    Scenario,
    Vault,
    base_units,
    pools_of_shares,
)
from harness.scenario.sources import Source, by_name, feed_sources
from harness.setup import Setup
from harness.share_traders import ShareTraders, equip_share_traders
from harness.traders import Trader, lending_positions

#: LP wei that a pool's first mint locks for good.
LOCKED_LIQUIDITY = 1_000

#: The largest reserve of a pool, and the largest depth of an outside market, base units.
_MOST_RESERVE, _MOST_DEPTH = (1 << 112) - 1, 1 << 120


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
    share_traders: ShareTraders = field(default_factory=ShareTraders)

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

    @cached_property
    def vault_markets(self) -> Mapping[str, tuple[str, ...]]:
        """The markets behind each share, by its symbol."""
        return {symbol: vault.markets for symbol, vault in self.vault_of.items()}

    def liquidation_of(self, collateral: str) -> str:
        """What a liquidation that seizes this is called in DECLARED_GAS."""
        if collateral not in self.vault_of:
            return "liquidate"
        asset = self.vault_of[collateral].spec.asset
        traded = self.pool_of(collateral, asset) is not None
        return "liquidate_traded_shares" if traded else "liquidate_shares"

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
    seeder = Seeder(setup, tokens, shares)
    externals = _deploy_externals(scenario, setup, seeder, tokens, start_prices)
    pool_specs = scenario.venues_of(Pool)
    opened = [pool for pool in pool_specs if pool.base not in shares]
    pools = _deploy_pools(scenario, opened, setup, seeder, tokens, start_prices)
    rig = FeedRig(setup, scenario, tokens, start_prices)
    rig.deploy({name: pool.contract for name, pool in pools.items()}, {})

    router = setup.deploy(_router_kind(scenario), ADMIN)
    sink = setup.deploy("Sink", router.address)
    setup.send(ADMIN, router, "setSink", sink.address)
    _route(setup, router, tokens, pools)
    fee_ledger = setup.deploy(
        "FeeLedger", tokens[scenario.block_space.fee_asset].address, BUILDER, COLLECTOR
    )
    executors = deploy_executors(setup, scenario, router)

    def open_pools(share: str) -> dict[str, Contract]:
        traded = [pool for pool in pool_specs if pool.base == share]
        found = _deploy_pools(scenario, traded, setup, seeder, tokens, start_prices)
        _route(setup, router, tokens, found)
        pools.update(found)
        return {name: pool.contract for name, pool in found.items()}

    lending = LendingRig(
        setup, scenario, seeder, rig, executors, router, tokens, decimals, open_pools
    )
    sink_stock: dict[str, int] = dict.fromkeys(decimals, 0)
    for name, held in _held(scenario, positions, traders).items():
        lending.deploy(name, held)
        _add_sink_stock(sink_stock, scenario, held, start_prices, decimals)
    venues, vaults = lending.venues, lending.vaults
    exchanges: dict[str, PerpVenue] = {}
    for exchange in scenario.venues_of(PerpExchange):
        exchanges[exchange.name] = deploy_perp_exchange(
            setup,
            exchange,
            traders.get(exchange.name, ()),
            participants(scenario, exchange.name),
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
    supply_lenders(scenario, setup, seeder, tokens, decimals, venues)
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
    fee_deposits = fund_agents(
        scenario, seeder, decimals, venues, router, executors.liquidation, executors.arbitrage
    )
    fee_deposits |= fund_exchange_agents(scenario, seeder, decimals, exchanges, router)
    for population in scenario.populations:
        if isinstance(population, Borrowers | Positions):
            deposit = base_units(
                population.response.fee_deposit, decimals[scenario.block_space.fee_asset]
            )
            for position in positions.get(population.venue, ()):
                if position.population == population.name and position.action != "nothing":
                    fee_deposits[address_of(position)] = deposit
    share_traders = equip_share_traders(
        setup, scenario, decimals, mint=seeder.mint, approve=seeder.approve
    )
    equipped = equip(
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
    deposit_fees(setup, seeder, scenario.block_space.fee_asset, fee_ledger, fee_deposits)

    for vault in vaults.values():
        symbol = vault.spec.share
        left_over = deposits_of(vault.spec, decimals) - seeder.handed_out[symbol]
        if left_over < 0:
            path = f"venue.{vault.spec.name}.market"
            allowed = (
                f"at least the {-left_over / 10 ** decimals[symbol]:.15g} {symbol} more that others"
            )
            raise ScenarioError(path, f"deposits of {vault.spec.deposits:.15g}", f"{allowed} have")
        seeder.mint(symbol, vault.passive, left_over)

    lens = setup.deploy("WorldLens")
    vault_lens = setup.deploy("VaultLens") if vaults else None
    people = [OUTSIDE, ADMIN, MINTER, PUBLISHER, BUILDER, COLLECTOR, SEEDER, POOL_PROVIDER, KEEPER]
    holders = dict.fromkeys(people)
    holders.update(dict.fromkeys(setup.contracts))
    holders.update(dict.fromkeys(fee_deposits))
    for venue in venues.values():
        holders.update(dict.fromkeys(venue.people))
    holders.update(dict.fromkeys(purses(scenario)))
    for vault in vaults.values():
        holders.update(dict.fromkeys((vault.curator, vault.passive, GUARANTOR)))
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
        liquidation_executor=executors.liquidation,
        deleverage_executor=executors.deleverage,
        arbitrage_executor=executors.arbitrage,
        leverage_executor=equipped.leverage,
        liquidity_executor=equipped.liquidity,
        lens=lens,
        symbols={token.address: symbol for symbol, token in tokens.items()},
        holders=tuple(holders),
        exchanges=exchanges,
        clearing=clearing,
        vaults=vaults,
        vault_lens=vault_lens,
        share_traders=share_traders,
    )


def _held(
    scenario: Scenario,
    positions: Mapping[str, Sequence[Position]],
    traders: Mapping[str, Sequence[Trader]],
) -> dict[str, list[Position]]:
    """The positions of each lending venue and, without any, each vault, in the file's order."""
    borrowing: dict[str, list[Position]] = {}
    for position in lending_positions(traders):
        borrowing.setdefault(position.venue, []).append(position)
    return {
        spec.name: [*positions.get(spec.name, ()), *borrowing.get(spec.name, ())]
        for spec in scenario.venues
        if isinstance(spec, Lending | Vault)
    }


def _deploy_externals(
    scenario: Scenario,
    setup: Setup,
    seeder: Seeder,
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
        if not 0 < depth <= _MOST_DEPTH:
            allowed = f"a reserve of 1 to {_MOST_DEPTH:.0e} base units of {asset.symbol}, not "
            raise ScenarioError(
                f"asset.{asset.symbol}.external.depth_2pct_usd",
                outside.depth_2pct_usd,
                f"{allowed}{depth:.0e}",
            )
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


def _router_kind(scenario: Scenario) -> str:
    """The router that a scenario's forced trades need."""
    if not scenario.venues_of(Vault):
        return "ForcedTradeRouter"
    return "ShareRouter" if pools_of_shares(scenario) else "RedeemingRouter"


def _route(
    setup: Setup,
    router: Contract,
    tokens: Mapping[str, Contract],
    pools: Mapping[str, PoolHandle],
) -> None:
    """Sends forced trades of each pair to the first of its pools, as `World.pool_of`."""
    routed: set[frozenset[str]] = set()
    for pool in pools.values():
        pair = frozenset((pool.base, pool.quote))
        if pair not in routed:
            base, quote = tokens[pool.base].address, tokens[pool.quote].address
            setup.send(ADMIN, router, "setPool", base, quote, pool.contract.address)
        routed.add(pair)


def _deploy_pools(
    scenario: Scenario,
    specs: Sequence[Pool],
    setup: Setup,
    seeder: Seeder,
    tokens: Mapping[str, Contract],
    start_prices: Mapping[str, int],
) -> dict[str, PoolHandle]:
    pools: dict[str, PoolHandle] = {}
    for spec in specs:
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
        minted = isqrt(reserve * other)
        if minted <= LOCKED_LIQUIDITY or max(reserve, other) > _MOST_RESERVE:
            raise ScenarioError(
                f"venue.{spec.name}.base_reserve",
                spec.base_reserve,
                f"reserves with a product above {LOCKED_LIQUIDITY**2:.0e} and of at most "
                f"{_MOST_RESERVE:.0e} base units each, not {reserve} of {spec.base} and {other} of "
                f"{spec.quote}",
            )
        seeder.mint(spec.base, contract.address, reserve)
        seeder.mint(spec.quote, contract.address, other)
        setup.send(POOL_PROVIDER, contract, "mint", POOL_PROVIDER)
        liquidity = minted - LOCKED_LIQUIDITY
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
