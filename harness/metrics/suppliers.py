"""Who got out of a market, and who was left with its losses.

For each asset that suppliers who may run have supplied: what each had at first and has at the end,
what it was paid out, and its part of the loss. The loss is the deficit that no reserves cover, and
what accounts owe of the asset beyond their collateral at the last outside prices (an account's
shortfall, divided among its debts by their value). Nothing is charged to anybody before they
withdraw, and whoever does first is paid in full; so the part is that of the claims left at the
end, in proportion, and the parts add up to the loss to the base unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from harness.accounts import account
from harness.scenario import PRICE_UNIT, WAD, Scenario, Supplier
from harness.trace import Trace
from harness.world import World

_HALF = (1 << 128) - 1

#: The row of everybody else with claims: borrowers whose collateral it is.
OTHERS = "others"
#: The row of suppliers who stay whatever happens.
PASSIVE = "passive"


class SupplierRow(NamedTuple):
    """One supplier of an asset, in base units: claims at the start and at the end, tokens paid out
    to it, and its part of the loss."""

    name: str
    supplied: int
    withdrawn: int
    left: int
    loss: int


class SupplierTable(NamedTuple):
    """All claims on an asset of a market, in base units. ``uncovered`` is the deficit beyond the
    reserves, ``unrealised`` what is owed beyond collateral."""

    venue: str
    asset: str
    uncovered: int
    unrealised: int
    rows: tuple[SupplierRow, ...]


def parts(total: int, weights: Sequence[int]) -> list[int]:
    """A total in proportion to weights, in integers that add up to it (largest remainders first,
    then the first)."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_rest[: total - sum(shares)]:
        shares[i] += 1
    return shares


def suppliers(run: Trace, world: World, scenario: Scenario) -> list[SupplierTable]:
    """The tables of a run, one for each market and asset that somebody may run from."""
    found = {(spec.venue, spec.asset) for spec in scenario.agents_of(Supplier)}
    return [
        _table(run, world, scenario, name, symbol)
        for name, venue in world.venues.items()
        for symbol in venue.assets
        if (name, symbol) in found
    ]


def _table(run: Trace, world: World, scenario: Scenario, venue: str, asset: str) -> SupplierTable:
    opening, closing = run.opening_wallets, run.closing_wallets
    if opening is None or closing is None:
        raise ValueError("the run was not recorded to its end")
    handle = world.venues[venue]
    place, width = handle.assets.index(asset), len(handle.assets)
    names = {
        account(spec.name, index).address: f"{spec.name}-{index}" if spec.count > 1 else spec.name
        for spec in scenario.agents_of(Supplier)
        for index in range(spec.count)
    }
    at = {holder: i for i, holder in enumerate(world.holders)}
    entries: list[tuple[str, int, int, int]] = []
    for i, owner in enumerate(handle.suppliers):
        before, after = (
            wallets.suppliers[venue][i * width + place] >> 128 for wallets in (opening, closing)
        )
        paid = closing.tokens[asset][at[owner]] - opening.tokens[asset][at[owner]]
        if before or after:
            entries.append((names.get(owner, PASSIVE), before, paid, after))
    held_before, held_after = (
        sum(word >> 128 for word in census.balances[place :: census.width])
        for census in (run.opening[venue], run.closing[venue])
    )
    if held_before or held_after:
        entries.append((OTHERS, held_before, 0, held_after))
    state = run.blocks[-1].venues[venue].states[place]
    uncovered = max(0, state.deficit - state.reserves)
    unrealised = _beyond_collateral(run, world, venue)[place]
    losses = parts(uncovered + unrealised, [left for *_, left in entries])
    rows = tuple(SupplierRow(*entry, loss) for entry, loss in zip(entries, losses, strict=True))
    return SupplierTable(venue, asset, uncovered, unrealised, rows)


def _beyond_collateral(run: Trace, world: World, venue: str) -> list[int]:
    """What all accounts owe beyond their collateral, of each asset, rounded down."""
    handle, census = world.venues[venue], run.closing[venue]
    external = run.blocks[-1].external
    prices = [external[symbol] for symbol in handle.assets]
    units = [10**places for places in handle.decimals]
    found = [0] * len(prices)
    for number in range(len(handle.accounts)):
        words = census.words(number)
        debts = [word & _HALF for word in words]
        if not any(debts):
            continue
        terms = list(zip(words, prices, units, strict=True))
        held = sum((word >> 128) * price * WAD // unit for word, price, unit in terms)
        owed = sum((word & _HALF) * price * WAD // unit for word, price, unit in terms)
        if owed > held:
            for place, debt in enumerate(debts):
                found[place] += debt * (owed - held) // owed
    return found


def summarised(
    tables: Sequence[SupplierTable], run: Trace, world: World
) -> dict[str, dict[str, dict[str, object]]] | None:
    """The tables for a summary: USD at the last outside prices, and integers in base units. None
    where there is nobody who may run."""
    if not tables:
        return None
    found: dict[str, dict[str, dict[str, object]]] = {}
    for table in tables:
        price = run.blocks[-1].external[table.asset]
        unit = world.units[table.asset]

        def usd(amount: int, price: int = price, unit: int = unit) -> float:
            return amount * price * (WAD // PRICE_UNIT) // unit / WAD

        rows = [row for row in table.rows if row.name != OTHERS]
        found.setdefault(table.venue, {})[table.asset] = {
            "uncovered_usd": usd(table.uncovered),
            "unrealised_usd": usd(table.unrealised),
            "out": sum(row.left == 0 for row in rows),
            "left": sum(row.left > 0 for row in rows),
            "left_usd": usd(sum(row.left for row in rows)),
            "rows": [_row(row, usd(row.loss)) for row in table.rows],
        }
    return found


def by_kind(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Rows of a summary in the order of their kinds: names of one kind end in a number."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        head, _, number = row["name"].rpartition("-")
        kinds.setdefault(head if number.isdigit() else row["name"], []).append(row)
    return kinds


def _row(row: SupplierRow, loss_usd: float) -> Mapping[str, object]:
    amounts = {key: str(value) for key, value in row._asdict().items() if key != "name"}
    return {"name": row.name, **amounts, "loss_usd": loss_usd}
