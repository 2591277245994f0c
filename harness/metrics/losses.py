"""The loss ledger: who had less at the end, and who more, by venue and role.

Nothing is minted in a run, so what one loses of a token another has gained: in base units the rows
of a token add up to zero. A row is what a role has at the end less what it had at the start, in its
wallets and fee deposits, its claims on markets and its debts to them. A market's own part is its
reserves less its deficit; a deficit is carried by the reserves as far as they go, and by suppliers
beyond. Debts that collateral does not cover at the end are a loss of suppliers, too, which no token
shows yet: two rows without an asset, in USD. Of an exchange the rows are claims on it, and without
an asset, in USD, unrealised profits, which add up to zero with what rounding leaves (`exchange
dust`). A vault's own row is what its claims and its idle assets became worth less the shares it has
in circulation: in base units what was redeemed, in USD, at the share price of the end, the loss of
all who held its shares.

USD are WAD at the outside prices of the last block: transfers of value, not the fall of prices on
what everybody held, which is the same with every distribution. Rounding has a row of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from harness.accounts import account
from harness.metrics.exchange_ledger import DUST, claim_changes, exchange_roles, unpaid_changes
from harness.people import ADMIN, COLLECTOR, USD
from harness.scenario import (
    PRICE_UNIT,
    WAD,
    Arbitrageur,
    Lender,
    Liquidator,
    LiquidityProvider,
    Scenario,
    ShareArbitrageur,
    VaultDepositor,
)
from harness.trace import Trace
from harness.wallets import Wallets
from harness.world import World

_HALF = (1 << 128) - 1

Role = tuple[str, str]
#: base units by venue, role and asset
Sums = defaultdict[tuple[str, str, str], int]

BORROWERS, SUPPLIERS, RESERVES = "borrowers", "suppliers", "market reserves"
SHAREHOLDERS = "shareholders"


class Played(Protocol):
    """What a ledger is made from: a scenario, its world, and the trace of a run."""

    @property
    def scenario(self) -> Scenario: ...

    @property
    def world(self) -> World: ...

    @property
    def run(self) -> Trace: ...


class LossRow(NamedTuple):
    """What a role gained (above zero) or lost (below) of an asset.

    ``amount`` in base units, ``usd`` in WAD at the last outside price, rounded down. Without an
    asset: debt that no collateral covers, in USD WAD.
    """

    venue: str
    role: str
    asset: str
    amount: int
    usd: int


def losses(result: Played) -> list[LossRow]:
    """The ledger of a run; of each asset, amounts and USD add up to zero."""
    world, trace = result.world, result.run
    opening, closing = trace.opening_wallets, trace.closing_wallets
    if opening is None or closing is None:
        raise ValueError("the run was not recorded to its end")
    sums: Sums = defaultdict(int)
    markets = {venue.market.address: name for name, venue in world.venues.items()}
    _add_wallets(sums, result, opening, closing, markets)
    _add_positions(sums, result, opening, closing)
    _share_market_losses(sums, result)
    rows = [
        LossRow(venue, role, asset, amount, _usd_down(result, asset, amount))
        for (venue, role, asset), amount in sums.items()
        if amount
    ]
    for asset in world.tokens:
        rest = sum(row.usd for row in rows if row.asset == asset)
        if rest:
            rows.append(LossRow("", "rounding", asset, 0, -rest))
    for name, state in trace.blocks[-1].venues.items():
        if state.shortfall_market:
            uncovered = state.shortfall_market
            rows.append(LossRow(name, BORROWERS, "", uncovered, uncovered))
            rows.append(LossRow(name, SUPPLIERS, "", -uncovered, -uncovered))
    return rows + _unpaid(result)


def _unpaid(result: Played) -> list[LossRow]:
    """Unrealised profits on exchanges, in USD WAD; the rest of rounding is dust, too."""
    rows, roles = [], _roles(result)
    for name, venue in result.world.exchanges.items():
        changes = unpaid_changes(result.run, venue, roles)
        usd = {role: _usd_down(result, venue.settlement, n) for role, n in changes.items()}
        if usd:
            usd[DUST] -= sum(usd.values())
        rows += [LossRow(name, role, "", amount, amount) for role, amount in usd.items() if amount]
    return rows


def _usd_down(result: Played, asset: str, amount: int) -> int:
    external = result.run.blocks[-1].external
    price = PRICE_UNIT if asset == USD else external[asset]
    return amount * price * (WAD // PRICE_UNIT) // result.world.units[asset]


def _roles(result: Played) -> dict[bytes, Role]:
    """Whose an address is, by venue and role."""
    world, scenario = result.world, result.scenario
    roles: dict[bytes, Role] = {COLLECTOR: ("", "block builders"), ADMIN: ("", "stewards")}
    for name, venue in world.venues.items():
        roles.update(dict.fromkeys(venue.suppliers, (name, SUPPLIERS)))
        for owner in venue.accounts:
            roles.setdefault(owner, (name, BORROWERS))
    for exchange in world.exchanges.values():
        roles.update(exchange_roles(exchange))
    for house in world.clearing.values():
        roles[house.fund.address] = (house.name, "stake and default fund")
    for name, pool in world.pools.items():
        roles[pool.contract.address] = (name, "pool liquidity")
    for symbol, market in world.externals.items():
        roles[market.address] = (symbol, "outside market")
    roles[world.sink.address] = ("", "sink")
    for spec in scenario.agents:
        role = ("", spec.name)
        if isinstance(spec, Liquidator):
            role = ("" if spec.further_venues else spec.venue, "liquidators")
        elif isinstance(spec, Arbitrageur | ShareArbitrageur):
            role = (spec.pool, "arbitrageurs")
        elif isinstance(spec, LiquidityProvider):
            role = (spec.pool, "pool liquidity")
        elif isinstance(spec, VaultDepositor):
            role = (spec.vault, "depositors")
        elif getattr(spec, "venue", "") in world.exchanges:
            role = (getattr(spec, "venue", ""), spec.name)
        for index in range(spec.count):
            roles.setdefault(account(spec.name, index).address, role)
    for vault in world.vaults.values():
        roles[vault.passive] = (vault.spec.name, "depositors")
        roles[vault.curator] = (vault.spec.name, "curator")
    return roles | _lenders(result)


def _lenders(result: Played) -> dict[bytes, Role]:
    """Lenders of several markets, vaults among them, who have a row of their own."""
    lenders = {
        account(spec.name, index).address: ("", spec.name)
        for spec in result.scenario.agents_of(Lender)
        for index in range(spec.count)
    }
    for name, vault in result.world.vaults.items():
        lenders[vault.vault.address] = (name, SHAREHOLDERS)
        lenders |= {strategy.address: (name, SHAREHOLDERS) for strategy in vault.strategies}
    return lenders


def _add_wallets(
    sums: Sums,
    result: Played,
    opening: Wallets,
    closing: Wallets,
    markets: dict[bytes, str],
) -> None:
    world, roles = result.world, _roles(result)
    fee_asset = result.scenario.block_space.fee_asset

    def add(owner: bytes, asset: str, change: int) -> None:
        if change:
            if owner in markets:
                venue, role = markets[owner], RESERVES
            else:
                venue, role = roles.get(owner, ("", "others"))
            sums[venue, role, asset] += change

    for asset in world.tokens:
        changes = zip(world.holders, opening.tokens[asset], closing.tokens[asset], strict=True)
        for owner, before, after in changes:
            add(owner, asset, after - before)
            if asset in world.vault_of:  # what is redeemed is no longer owed
                sums[world.vault_of[asset].spec.name, SHAREHOLDERS, asset] -= after - before
    for owner, before, after in zip(world.holders, opening.fees, closing.fees, strict=True):
        add(owner, fee_asset, after - before)
        # what the ledger holds is the payers'
        add(world.fee_ledger.address, fee_asset, before - after)


def _halves(words: Sequence[int]) -> list[int]:
    """Claims less debt of each word."""
    return [(word >> 128) - (word & _HALF) for word in words]


def _add_positions(sums: Sums, result: Played, opening: Wallets, closing: Wallets) -> None:
    world, trace = result.world, result.run
    roles = _roles(result)
    for exchange in world.exchanges.values():
        for whose, asset, change in claim_changes(trace, exchange, roles):
            sums[*whose, asset] += change
    lenders = _lenders(result)
    for name, venue in world.venues.items():
        width = len(venue.assets)
        parts: list[tuple[Role, Sequence[int], Sequence[int]]] = [
            ((name, BORROWERS), trace.opening[name].balances, trace.closing[name].balances)
        ]
        for number, owner in enumerate(venue.suppliers):
            own = slice(number * width, (number + 1) * width)
            role = lenders.get(owner, (name, SUPPLIERS))
            parts.append((role, opening.suppliers[name][own], closing.suppliers[name][own]))
        for role, before, after in parts:
            for place, asset in enumerate(venue.assets):
                change = sum(_halves(after[place::width])) - sum(_halves(before[place::width]))
                sums[*role, asset] += change
                sums[name, RESERVES, asset] -= change


def _share_market_losses(sums: Sums, result: Played) -> None:
    """A market's own part falls by its deficit: suppliers carry what its reserves do not."""
    for name, state in result.run.blocks[-1].venues.items():
        for asset, books in zip(_assets(result.world, name), state.states, strict=True):
            uncovered = max(0, books.deficit - books.reserves)
            sums[name, SUPPLIERS, asset] -= uncovered
            sums[name, RESERVES, asset] += uncovered


def _assets(world: World, venue: str) -> tuple[str, ...]:
    return world.venues[venue].assets


def loss_by_role(rows: Sequence[LossRow]) -> dict[Role, int]:
    """USD WAD by venue and role, gains above zero; they add up to zero."""
    totals: defaultdict[Role, int] = defaultdict(int)
    for row in rows:
        totals[row.venue, row.role] += row.usd
    return dict(totals)
