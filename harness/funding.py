"""What those who act in a run are given before it starts: capital, approvals and fee deposits."""

from __future__ import annotations

from collections.abc import Mapping

from harness.accounts import account
from harness.contracts import Contract
from harness.feeds import MAX_UINT
from harness.people import ADMIN, MINTER, SEEDER, USD, USD_DECIMALS
from harness.protocols.perp_exchange import PerpVenue
from harness.protocols.pooled_lending import PooledLendingVenue
from harness.scenario import (
    Arbitrageur,
    BasisTrader,
    Curator,
    FundingKeeper,
    FundUnwinder,
    Governor,
    Guardian,
    InventoryLiquidator,
    Lender,
    Liquidator,
    MarginCaller,
    PerpLiquidator,
    Scenario,
    Traders,
    Vault,
    VaultDepositor,
    VaultHedger,
    base_units,
)
from harness.setup import Setup


class Seeder:
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


_EXCHANGE_AGENTS = (
    PerpLiquidator,
    MarginCaller,
    FundingKeeper,
    FundUnwinder,
    VaultHedger,
    BasisTrader,
)


def participants(scenario: Scenario, venue: str) -> list[bytes]:
    """Agents that an exchange may reward."""
    return [
        account(agent.name, index).address
        for agent in scenario.agents_of(PerpLiquidator)
        if agent.venue == venue
        for index in range(agent.count)
    ]


def fund_agents(
    scenario: Scenario,
    seeder: Seeder,
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
            if isinstance(outside, Curator):
                owner = account(scenario.venue_as(Vault, outside.vault).curator).address
            if isinstance(outside, VaultDepositor):
                share = scenario.venue_as(Vault, outside.vault).share
                seeder.mint(share, owner, base_units(outside.shares, decimals[share]))
            deposits[owner] = base_units(getattr(outside, "fee_deposit", 0.0), fee_decimals)
            for symbol, amount in getattr(outside, "capital", ()):
                seeder.mint(symbol, owner, base_units(amount, decimals[symbol]))
    return deposits


def fund_exchange_agents(
    scenario: Scenario,
    seeder: Seeder,
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


def supply_lenders(
    scenario: Scenario,
    setup: Setup,
    seeder: Seeder,
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


def purses(scenario: Scenario) -> list[bytes]:
    """Accounts that liquidators of several venues have only where they share no capital."""
    return [
        account(spec.purse(venue), index).address
        for spec in scenario.agents_of(Liquidator)
        if spec.further_venues
        for venue in spec.serves
        for index in range(spec.count)
    ]


def deposit_fees(
    setup: Setup,
    seeder: Seeder,
    fee_asset: str,
    fee_ledger: Contract,
    deposits: Mapping[bytes, int],
) -> None:
    seeder.mint(fee_asset, SEEDER, sum(deposits.values()))
    seeder.approve(fee_asset, SEEDER, fee_ledger)
    for payer, amount in deposits.items():
        if amount:
            setup.send(SEEDER, fee_ledger, "deposit", payer, amount)
