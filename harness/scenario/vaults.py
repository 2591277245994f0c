"""Curated vaults: one asset lent to several markets, whose shares are an asset too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from harness.errors import ScenarioError
from harness.scenario._decode import Key, Range
from harness.scenario.agents import Agent
from harness.scenario.assets import check_some
from harness.scenario.blocks import Bid, Outages
from harness.scenario.feeds import SharePriceFeed
from harness.scenario.liquidation import AbsorbAndSell, StabilityDeposits
from harness.scenario.model import Scenario
from harness.scenario.populations import Borrowers, Positions
from harness.scenario.sources import own
from harness.scenario.units import BPS, Amount, Blocks, Bps, Name, Symbol, Usd, base_units
from harness.scenario.venues import Lending, Pool, PooledLending, Venue

_BID, _NO_OUTAGES = Bid(), Outages()


@dataclass(frozen=True, slots=True)
class VaultMarket:
    """A market that a vault lends to: what of its deposits is there at the start, in tokens."""

    venue: Name
    supplied: Amount


@dataclass(frozen=True, slots=True)
class Vault(Venue):
    """A vault that lends one asset to the markets its curator chooses.

    With one market its shares are a receipt for claims on that market. ``share`` is the asset that
    its shares are: one with ``price.process = "share-price"``, of as many decimals as ``asset``.
    At the start there are as many shares as there are deposits: ``supplied`` to each market, and
    ``idle``. Those that nobody else has by the scenario (as collateral, or as a depositor who may
    leave) are with passive depositors.

    In the file it comes after the markets it lends to, and before those that list its shares.
    """

    kind_name: ClassVar[str] = "vault"
    name: Name
    asset: Symbol
    share: Symbol
    markets: Annotated[tuple[VaultMarket, ...], Key("market")]
    idle: Amount = 0.0

    @property
    def curator(self) -> str:
        """Name of the account that moves its assets."""
        return f"{self.name}-curator"

    @property
    def depositors(self) -> str:
        """Name of the account of its passive depositors."""
        return f"{self.name}-depositors"

    @property
    def accounts(self) -> tuple[str, ...]:
        """See `Venue.accounts`."""
        return self.curator, self.depositors

    @property
    def deposits(self) -> float:
        """Tokens deposited at the start."""
        return self.idle + sum(market.supplied for market in self.markets)


@dataclass(frozen=True, slots=True)
class VaultDepositor(Agent):
    """Depositors of a vault who run.

    Each of the ``count`` has ``shares``. They run once a share is worth ``loss_bps`` less than at
    its highest, or what the vault could pay out is below ``liquidity_bps`` of its assets (0
    switches either off). Then they redeem what they have, as far as the vault could pay in the last
    block, until nothing is left; a part only if it is at least ``min_withdrawal`` of the asset.
    For blocks in which the vault can pay nothing of that they sell in the pool of the shares, as
    long as its price is at most ``sale_discount_bps`` below what a share is worth (0: they wait).
    """

    kind_name: ClassVar[str] = "vault-depositor"
    name: Name
    vault: Name
    shares: Annotated[float, Range(0, 1e18, above=True)]
    loss_bps: Bps = 0
    liquidity_bps: Bps = 0
    min_withdrawal: Amount = 0.0
    sale_discount_bps: Annotated[int, Range(0, BPS - 1)] = 0
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 1.0
    """Tokens of the fee asset each has for fees."""
    bid: Bid = _BID
    outages: Outages = _NO_OUTAGES


@dataclass(frozen=True, slots=True)
class Curator(Agent):
    """The curator of a vault, who takes out of a market what cash there is once it is in trouble.

    A market is in trouble from when losses in sight (deficits that no reserves cover and debts
    beyond their collateral, at the market's prices) are ``loss_bps`` of all that is lent, or the
    vault has lost something there. What is taken out, and what is idle, goes to the first market
    of the vault that is not in trouble where ``reallocates``, else it stays idle, ready for those
    who redeem.
    """

    kind_name: ClassVar[str] = "curator"
    name: Name
    vault: Name
    loss_bps: Bps
    reallocates: bool = False
    count: Annotated[int, Range(1, 1)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 10.0
    bid: Bid = _BID
    outages: Outages = _NO_OUTAGES


@dataclass(frozen=True, slots=True)
class ShareArbitrageur(Agent):
    """Trades between a pool of shares and their vault, whichever way pays.

    Below what a share is worth it buys in the pool and redeems, as far as the vault can pay; above,
    it deposits and sells. From ``holding_discount_bps`` below what a share is worth on it also buys
    what the vault cannot pay for, and redeems it once the vault can (0: it never holds shares).
    ``cash`` are tokens of the vault's asset.
    """

    kind_name: ClassVar[str] = "share-arbitrageur"
    name: Name
    pool: Name
    cash: Annotated[float, Range(0, 1e18, above=True)]
    holding_discount_bps: Annotated[int, Range(0, BPS - 1)] = 0
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    min_profit_usd: Usd = 0.0
    fee_deposit: Amount = 1.0
    """Tokens of the fee asset each has for fees."""
    bid: Bid = _BID
    outages: Outages = _NO_OUTAGES


def pools_of_shares(scenario: Scenario) -> tuple[Pool, ...]:
    """The pools that trade shares of vaults."""
    shares = {vault.share for vault in scenario.venues_of(Vault)}
    return tuple(pool for pool in scenario.venues_of(Pool) if pool.base in shares)


def vault_of(scenario: Scenario, share: str) -> Vault:
    """The vault whose shares an asset is. Raises KeyError."""
    for vault in scenario.venues_of(Vault):
        if vault.share == share:
            return vault
    raise KeyError(share)


def lent_by_vaults(scenario: Scenario, market: str, symbol: str) -> float:
    """Tokens of an asset that vaults supply to a market at the start."""
    return sum(
        each.supplied
        for vault in scenario.venues_of(Vault)
        if vault.asset == symbol
        for each in vault.markets
        if each.venue == market
    )


def check_vaults(scenario: Scenario) -> None:
    """Raises ScenarioError where fields of vaults and of who has to do with them contradict."""
    shares: list[str] = []
    for i, vault in enumerate(scenario.venues):
        if isinstance(vault, Vault):
            _check_vault(scenario, vault, i, shares)
            shares.append(vault.share)
    for i, asset in enumerate(scenario.assets):
        if asset.is_share:
            _check_share(scenario, i, shares)
        elif any(
            isinstance(feed, SharePriceFeed)
            for feed in (asset.feed, *dict(own(asset.feed)).values())
        ):
            allowed = "a feed of an asset that is the share of a vault"
            raise ScenarioError(f"asset[{i}].feed", "share-price", allowed)
    _check_order(scenario)
    if scenario.block_space.fee_asset in shares:
        allowed = "no share of a vault: its shares are those of its depositors"
        raise ScenarioError("block_space.fee_asset", scenario.block_space.fee_asset, allowed)
    vaults = [vault.name for vault in scenario.venues_of(Vault)]
    curated: list[str] = []
    for i, agent in enumerate(scenario.agents):
        if isinstance(agent, VaultDepositor | Curator) and agent.vault not in vaults:
            allowed = f"a vault: {', '.join(vaults) or '(there are none)'}"
            raise ScenarioError(f"agent[{i}].vault", agent.vault, allowed)
        if isinstance(agent, VaultDepositor):
            share = scenario.asset(scenario.venue_as(Vault, agent.vault).share)
            check_some(agent.shares, share, f"agent[{i}].shares")
        if isinstance(agent, Curator):
            if agent.vault in curated:
                raise ScenarioError(f"agent[{i}].vault", agent.vault, "one curator of a vault")
            curated.append(agent.vault)
        if isinstance(agent, VaultDepositor) and not (agent.loss_bps or agent.liquidity_bps):
            allowed = "above 0, or liquidity_bps above 0: when they run"
            raise ScenarioError(f"agent[{i}].loss_bps", 0, allowed)
        _check_share_trader(scenario, agent, f"agent[{i}]")


def _check_share_trader(scenario: Scenario, agent: Agent, path: str) -> None:
    """Who trades shares has a pool of them."""
    pools = pools_of_shares(scenario)
    if isinstance(agent, ShareArbitrageur):
        names = [pool.name for pool in pools]
        if agent.pool not in names:
            allowed = f"a pool whose base is a vault's share: {', '.join(names) or '(none)'}"
            raise ScenarioError(f"{path}.pool", agent.pool, allowed)
    if isinstance(agent, VaultDepositor) and agent.sale_discount_bps:
        share = scenario.venue_as(Vault, agent.vault).share
        if share not in [pool.base for pool in pools]:
            allowed = f"0: no pool trades {share}"
            raise ScenarioError(f"{path}.sale_discount_bps", agent.sale_discount_bps, allowed)


def _check_vault(scenario: Scenario, vault: Vault, index: int, taken: list[str]) -> None:
    path = f"venue[{index}]"
    assets = {asset.symbol: asset for asset in scenario.assets}
    if vault.asset not in assets or assets[vault.asset].is_share:
        allowed = "an asset's symbol, not that of a share"
        raise ScenarioError(f"{path}.asset", vault.asset, allowed)
    share = assets.get(vault.share)
    if share is None or not share.is_share:
        allowed = 'the symbol of an asset with price.process = "share-price"'
        raise ScenarioError(f"{path}.share", vault.share, allowed)
    if vault.share in taken:
        raise ScenarioError(f"{path}.share", vault.share, "the share of one vault")
    if share.decimals != assets[vault.asset].decimals:
        allowed = f"an asset of {assets[vault.asset].decimals} decimals, as {vault.asset} has"
        raise ScenarioError(f"{path}.share", vault.share, allowed)
    if not vault.markets:
        raise ScenarioError(f"{path}.market", 0, "at least one market")
    parts = [vault.idle, *(market.supplied for market in vault.markets)]
    if not any(base_units(part, share.decimals) for part in parts):
        held = f"deposits of {vault.deposits:.15g}"
        raise ScenarioError(f"{path}.market", held, "some, supplied to a market or idle")
    before = {venue.name: venue for venue in scenario.venues[:index]}
    seen: list[str] = []
    for j, each in enumerate(vault.markets):
        market = before.get(each.venue)
        here = f"{path}.market[{j}].venue"
        if not isinstance(market, Lending) or each.venue in seen:
            names = [name for name, venue in before.items() if isinstance(venue, Lending)]
            allowed = f"once a lending venue above it in the file: {', '.join(names) or '(none)'}"
            raise ScenarioError(here, each.venue, allowed)
        if vault.asset not in market.lent:
            raise ScenarioError(here, each.venue, f"a market that lends {vault.asset}")
        seen.append(each.venue)
    _check_holdings(scenario, vault, path)


def _check_holdings(scenario: Scenario, vault: Vault, path: str) -> None:
    """No more shares are handed out than there are deposits, as far as amounts are stated."""
    held = shares_held(scenario, vault)
    if held > vault.deposits:
        allowed = f"at least the {held:.15g} {vault.share} that others have at the start"
        raise ScenarioError(f"{path}.market", f"deposits of {vault.deposits:.15g}", allowed)


def shares_held(scenario: Scenario, vault: Vault) -> float:
    """Shares that others than passive depositors have at the start, as far as amounts are stated:
    not those of drawn borrowers."""
    held = sum(
        agent.shares * agent.count
        for agent in scenario.agents_of(VaultDepositor)
        if agent.vault == vault.name
    )
    held += sum(pool.base_reserve for pool in pools_of_shares(scenario) if pool.base == vault.share)
    held += sum(
        listed.supplied
        for market in scenario.venues_of(Lending)
        for listed in market.assets
        if listed.symbol == vault.share
    )
    for population in scenario.populations:
        if isinstance(population, Positions):
            held += sum(
                amount
                for row in population.positions
                for symbol, amount in row.supplied
                if symbol == vault.share
            )
    return held


def _check_share(scenario: Scenario, index: int, shares: list[str]) -> None:
    asset, path = scenario.assets[index], f"asset[{index}]"
    if asset.symbol not in shares:
        allowed = "a share-price process for the share of a vault only ([[venue]] kind = vault)"
        raise ScenarioError(f"{path}.price.process", "share-price", allowed)
    if asset.start_price_usd is not None:
        allowed = "nothing: it is what the vault's asset costs"
        raise ScenarioError(f"{path}.start_price_usd", asset.start_price_usd, allowed)
    if asset.external is not None:
        allowed = "nothing: shares are redeemed, or traded in a pool"
        raise ScenarioError(f"{path}.external", "a table", allowed)
    for i, venue in enumerate(scenario.venues):
        if isinstance(venue, Pool) and asset.symbol in (venue.base, venue.quote):
            _check_share_pool(scenario, venue, i)
        if isinstance(venue, PooledLending):
            field = {AbsorbAndSell: "base", StabilityDeposits: "debt"}.get(type(venue.liquidation))
            if field and getattr(venue.liquidation, field) == asset.symbol:
                where = f"venue[{i}].liquidation.{field}"
                raise ScenarioError(where, asset.symbol, "no share of a vault: nobody can owe it")
    for i, population in enumerate(scenario.populations):
        if isinstance(population, Borrowers) and population.debt == asset.symbol:
            raise ScenarioError(f"population[{i}].debt", asset.symbol, "no share of a vault")
        if isinstance(population, Positions):
            for j, row in enumerate(population.positions):
                if asset.symbol in dict(row.borrowed):
                    where = f"population[{i}].position[{j}].borrowed.{asset.symbol}"
                    raise ScenarioError(where, asset.symbol, "no share of a vault")


def _check_share_pool(scenario: Scenario, pool: Pool, index: int) -> None:
    """A pool of shares has them as its base, and their vault's asset as its quote; each share is
    in one."""
    shares = {vault.share: vault.asset for vault in scenario.venues_of(Vault)}
    if pool.base not in shares:
        allowed = "no share of a vault: shares are the base of their pool"
        raise ScenarioError(f"venue[{index}].quote", pool.quote, allowed)
    if pool.quote != shares[pool.base]:
        allowed = f"what the vault of {pool.base} lends: {shares[pool.base]}"
        raise ScenarioError(f"venue[{index}].quote", pool.quote, allowed)
    for other in scenario.venues[:index]:
        if isinstance(other, Pool) and other.base == pool.base:
            allowed = f"a share that has no pool yet; it is traded in {other.name}"
            raise ScenarioError(f"venue[{index}].base", pool.base, allowed)


def _check_order(scenario: Scenario) -> None:
    """Who lists shares comes after their vault: it reads a feed that reads the vault."""
    vaults: list[str] = []
    for i, venue in enumerate(scenario.venues):
        if isinstance(venue, Vault):
            vaults.append(venue.share)
        if isinstance(venue, Lending):
            for listed in venue.assets:
                if scenario.asset(listed.symbol).is_share and listed.symbol not in vaults:
                    allowed = f"a venue below the vault of {listed.symbol} in the file"
                    raise ScenarioError(f"venue[{i}].name", venue.name, allowed)


__all__ = [
    "Curator",
    "ShareArbitrageur",
    "Vault",
    "VaultDepositor",
    "VaultMarket",
    "check_vaults",
    "lent_by_vaults",
    "pools_of_shares",
    "shares_held",
    "vault_of",
]
