"""Positions from files: who supplied and who owes what, out of tables and logs of events."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any, Literal

from harness.errors import ScenarioError
from harness.prices.series import epoch_nanos
from harness.scenario.populations import PositionRow, Positions, PositionTable
from harness.tabular import read_records

__all__ = ["load_positions", "read_positions"]

_MOST = Decimal(10**18)
_NUMBER = re.compile(r"[+-]?(\d{1,80}(\.\d{0,80})?|\.\d{1,80})([eE][+-]?\d{1,2})?", re.ASCII)
_SHORT_INTEGER = re.compile(r"(\d{1,10})(\.0*)?", re.ASCII)
_EXACT = Context(prec=400)
_FIRST_TIME = 10**9
"""Epoch seconds from here on (2001), block numbers below."""
_NANOS = 10**9


@dataclass(slots=True)
class _Book:
    supplied: dict[str, Decimal] = field(default_factory=dict)
    borrowed: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Source:
    """A column of amounts, what its numbers are multiplied by, and whose they are.

    The symbol is the same in every row, or what the row says in ``symbol_column``.
    """

    borrowed: bool
    column: str
    factor: Decimal
    symbol: str = ""
    symbol_column: str = ""


def load_positions(
    population: Positions, folder: Path, where: str, symbols: Sequence[str]
) -> Positions:
    """The population with the rows of its files in their place, and notes of what was left out.

    Args:
        population: one with ``file`` or ``tables``.
        folder: where its files are looked for.
        where: its path in the scenario, for errors.
        symbols: the assets a table may name.

    Raises:
        ScenarioError: as :func:`read_positions`; more than one source of positions; a symbol that
            is no asset.
    """
    sources = {
        "position": population.positions,
        "file": population.file,
        "table": population.tables,
    }
    given = [key for key, value in sources.items() if value]
    if len(given) != 1:
        raise ScenarioError(where, ", ".join(given), "only one of file, position and table")
    for i, table in enumerate(population.tables):
        for side, columns in (("supplied", table.supplied), ("borrowed", table.borrowed)):
            for symbol, _ in columns:
                if symbol not in symbols:
                    allowed = f"an asset's symbol: one of {', '.join(symbols)}"
                    raise ScenarioError(f"{where}.table[{i}].{side}", symbol, allowed)
    rows, notes = read_positions(
        population.tables or (PositionTable(population.file),),
        folder,
        until=population.until,
        negative=population.negative,
        where=where,
        symbols=symbols,
    )
    return replace(
        population,
        positions=rows,
        file="",
        tables=(),
        until=None,
        negative="refuse",
        notes=(*population.notes, *notes),
    )


def read_positions(
    tables: Sequence[PositionTable],
    folder: Path = Path(),
    *,
    until: int | None = None,
    negative: Literal["refuse", "zero"] = "refuse",
    where: str = "positions",
    symbols: Sequence[str] | None = None,
) -> tuple[tuple[PositionRow, ...], tuple[str, ...]]:
    """One position for each account of the tables, in order of appearance, and notes.

    All rows of an account add up, exactly, in decimals; the sum is rounded once to the nearest
    number a scenario can hold (17 digits). Accounts whose sums are all 0 are left out; a note
    counts them, and another the sums below 0 that were taken as 0.

    Args:
        tables: files and their columns; see :class:`PositionTable`.
        folder: where the files are looked for.
        until: epoch seconds or block number of the last event that counts.
        negative: what becomes of sums below 0.
        where: what errors call the population.
        symbols: the assets that rows may name; None: any.

    Raises:
        ScenarioError: a file that cannot be read or a column it does not have; a malformed,
            negative or huge amount, an empty account, no such asset, a time that is none, with file
            and line; a sum below 0, unless it is taken as 0.
    """
    books: dict[str, _Book] = {}
    with localcontext(_EXACT):
        for i, table in enumerate(tables):
            file = folder / table.file
            for account, borrowed, symbol, amount in _read(
                table, file, until, f"{where}.table[{i}]", symbols
            ):
                book = books.setdefault(account, _Book())
                side = book.borrowed if borrowed else book.supplied
                if amount:
                    side[symbol] = side.get(symbol, Decimal(0)) + amount
    below = []
    rows = []
    for account, book in books.items():
        held = []
        for side in (book.supplied, book.borrowed):
            below += [(amount, s, account) for s, amount in side.items() if amount < 0]
            for symbol, amount in side.items():
                if amount > _MOST:
                    at = f"{where}: {symbol} of {account}"
                    raise ScenarioError(at, f"{amount:.6g}", "at most 1e18 tokens")
            held.append(tuple(sorted((s, float(a)) for s, a in side.items() if a > 0)))
        if any(held):
            rows.append(PositionRow(held[0], held[1], account))
    notes = []
    if below:
        amount, symbol, account = min(below)
        if negative == "refuse":
            allowed = 'sums of 0 or more, or negative = "zero", which takes others as 0'
            raise ScenarioError(f"{where}: {symbol} of {account}", f"{amount:.6g}", allowed)
        notes.append(
            f"{_count(len(below), 'sum')} below 0 taken as 0, the lowest {amount:.6g} {symbol} "
            f"of {account}"
        )
    if len(rows) < len(books):
        empty = len(books) - len(rows)
        notes.append(f"{empty} of {_count(len(books), 'account')} hold nothing and are left out")
    return tuple(rows), tuple(notes)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _read(
    table: PositionTable,
    file: Path,
    until: int | None,
    where: str,
    symbols: Sequence[str] | None,
) -> Iterator[tuple[str, bool, str, Decimal]]:
    """(account, borrowed, symbol, amount) of a table up to ``until``; every row is looked at."""
    if until is not None and not table.time:
        allowed = "required with until: a column of times or of block numbers"
        raise ScenarioError(f"{where}.time", None, allowed)
    records = read_records(file, table.records)
    columns = _Columns(file, tuple(records[0][1]))
    sources = _sources(table, columns, where)
    account_column = columns.find(table.account, f"{where}.account")
    time_column = columns.find(table.time, f"{where}.time") if table.time else ""
    for line, cells in records:
        here = f"{file}:{line}"
        account = _text(cells[account_column])
        if not account:
            raise ScenarioError(f"{here}: {account_column}", "", "a name or an address")
        amounts = []
        for source in sources:
            at = f"{here}: {source.column}"
            amount = _amount(_text(cells[source.column]), at, signed=bool(time_column))
            symbol = source.symbol or _text(cells[source.symbol_column])
            if amount and not symbol:
                allowed = f"an asset for the amount {amount}"
                raise ScenarioError(f"{here}: {source.symbol_column}", "", allowed)
            if amount and symbols is not None and symbol not in symbols:
                allowed = f"an asset's symbol: one of {', '.join(symbols)}"
                raise ScenarioError(f"{here}: {source.symbol_column}", symbol[:80], allowed)
            amounts.append((account, source.borrowed, symbol, amount * source.factor))
            if abs(amounts[-1][-1]) > _MOST:
                raise ScenarioError(at, f"{amount:.6g}", "at most 1e18 tokens")
        if time_column:
            moment = _moment(_text(cells[time_column]), f"{here}: {time_column}", until)
            if until is not None and moment > until * _NANOS:
                continue
        yield from amounts


class _Columns:
    """The columns of a file by name, or by that name in lower case with _ for spaces."""

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        self._file = file
        self._names = names
        self._plain = {name.lower().replace(" ", "_"): name for name in names}

    def __contains__(self, name: str) -> bool:
        return name in self._names or name in self._plain

    def find(self, name: str, where: str) -> str:
        """The file's own name of a column. Raises ScenarioError if it has none."""
        if name in self._names:
            return name
        if name in self._plain:
            return self._plain[name]
        there = textwrap.shorten(", ".join(filter(None, self._names)), 300, placeholder=" ...")
        raise ScenarioError(where, name, f"a column of {self._file}: {there}")


def _sources(table: PositionTable, columns: _Columns, where: str) -> list[_Source]:
    if not table.supplied and not table.borrowed:
        named = [
            [columns.find(f"{kind}_{what}", where) for what in ("asset", "amount")]
            for kind in ("collateral", "debt")
        ]
        return [
            _Source(bool(side), amount, Decimal(1), symbol_column=asset)
            for side, (asset, amount) in enumerate(named)
        ]
    places = dict(table.decimals)
    sources = []
    for borrowed, key, mapped in (
        (False, "supplied", table.supplied),
        (True, "borrowed", table.borrowed),
    ):
        for symbol, name in mapped:
            minus = name.startswith("-") and name not in columns
            plain = name[1:] if minus else name
            column = columns.find(plain, f"{where}.{key}.{symbol}")
            unit = Decimal(-1 if minus else 1).scaleb(-places.get(plain, 0))
            sources.append(_Source(borrowed, column, unit, symbol))
    used = [name.removeprefix("-") for _, name in (*table.supplied, *table.borrowed)]
    for name in places:
        if name not in used:
            allowed = "columns that supplied and borrowed name: " + ", ".join(used)
            raise ScenarioError(f"{where}.decimals", name, allowed)
    return sources


def _text(cell: Any) -> str:
    """A cell on one line, without space around it."""
    return "" if cell is None else " ".join(str(cell).split())


def _amount(text: str, where: str, *, signed: bool) -> Decimal:
    allowed = "a number of tokens" + ("" if signed else ", 0 or more")
    if not text:
        return Decimal(0)
    if not _NUMBER.fullmatch(text):
        raise ScenarioError(where, text[:80], allowed)
    value = Decimal(text)
    if value < 0 and not signed:
        raise ScenarioError(where, text, allowed)
    return value


def _moment(text: str, where: str, until: int | None) -> int:
    """Nanoseconds of a time, or a block number times 1e9."""
    short = _SHORT_INTEGER.fullmatch(text)
    nanos = int(short[1]) * _NANOS if short else epoch_nanos(text, where)
    if until is not None and (nanos < _FIRST_TIME * _NANOS) != (until < _FIRST_TIME):
        kind = "a time" if until >= _FIRST_TIME else "a block number"
        raise ScenarioError(where, text, f"{kind}, as until is")
    return nanos
