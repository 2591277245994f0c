"""Positions from a table: who supplied and who owes what."""

from __future__ import annotations

import math
from pathlib import Path

from harness.errors import ScenarioError
from harness.scenario.model import PositionRow
from harness.tabular import read_records

_COLUMNS = ("account", "collateral_asset", "collateral_amount", "debt_asset", "debt_amount")


def load_positions_csv(path: str | Path) -> tuple[PositionRow, ...]:
    """Positions from a CSV (perhaps gzipped), one for each account in order of appearance.

    Columns: account, collateral_asset, collateral_amount, debt_asset, debt_amount; amounts in
    whole tokens. An account with several collaterals or debts has several rows, which add up; an
    empty asset with an empty or zero amount is none.

    Raises:
        ScenarioError: a missing column, a malformed or negative amount, an empty account; names
            the file and the line.
    """
    file = Path(path)
    records = read_records(file)
    columns = {name.lower().replace(" ", "_"): name for name in records[0][1]}
    for name in _COLUMNS:
        if name not in columns:
            raise ScenarioError(str(file), ", ".join(columns), f"a column {name}")
    books: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
    for line, record in records:
        cells = {name: str(record[columns[name]] or "").strip() for name in _COLUMNS}
        if not cells["account"]:
            raise ScenarioError(f"{file}:{line}: account", "", "a name or an address")
        sides = books.setdefault(cells["account"], ({}, {}))
        for side, kind in zip(sides, ("collateral", "debt"), strict=True):
            symbol = cells[f"{kind}_asset"]
            text = cells[f"{kind}_amount"] or "0"
            amount = _amount(text, f"{file}:{line}: {kind}_amount")
            if amount and not symbol:
                allowed = f"an asset for the amount {text}"
                raise ScenarioError(f"{file}:{line}: {kind}_asset", symbol, allowed)
            if amount:
                side[symbol] = side.get(symbol, 0.0) + amount
    return tuple(
        PositionRow(tuple(sorted(supplied.items())), tuple(sorted(borrowed.items())), account)
        for account, (supplied, borrowed) in books.items()
    )


def _amount(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ScenarioError(where, text, "a number of tokens") from error
    if not math.isfinite(value) or not 0 <= value <= 1e18:
        raise ScenarioError(where, text, "a number of tokens, 0 or more")
    return value
