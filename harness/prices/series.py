"""Price series from CSV or JSON files, in the shapes exchanges and data vendors give them.

A file is a table with a time column and either one price column or open/high/low/close bars:

=========  ======================================================================================
time       ``timestamp``, ``timestamp_ms``, ``time``, ``date``, ``datetime``, ``minute``,
           ``open_time``, ``block_timestamp``, ``time_period_start``: ISO 8601 (UTC unless it says
           otherwise) or an epoch in seconds, milliseconds, microseconds or nanoseconds, told apart
           by size. A file with ``time`` and ``timestamp`` is read by ``timestamp``.
price      ``price``, or any one column that ends in ``price`` or holds ``price_usd``
bars       ``open``, ``high``, ``low``, ``close`` (also ``price_open`` and so on, and capitals)
=========  ======================================================================================

``.gz`` files are decompressed; JSON is a list of objects with the same names.

**When a price is known.** A bar is stamped at its opening; its close is known when it ends, one
bar width later (the most common spacing, or the bar's own end column). The series therefore holds
each close at the end of its bar, and the open of a bar where no close precedes it. Files of single
trades may repeat a time stamp: the last trade of a second counts. Sub-second times are rounded up
to the next second, so that no price is known before it was made.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ScenarioError
from harness.tabular import read_records

__all__ = ["epoch_nanos", "load_price_csv"]

_TIMES = (
    "timestamp_ms",
    "timestamp",
    "open_time",
    "time_period_start",
    "time",
    "datetime",
    "date",
    "minute",
    "block_timestamp",
)
_ENDS = ("close_time", "time_period_end")
_MAX_PRICE = 1e12
_MIN_PRICE = 1e-8
_NANOS = 10**9
_ISO_8601 = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?"
    r"\s*(Z|UTC|[+-]\d\d:?\d\d)?"
)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    nanos: int
    end: int | None
    open: float | None
    price: float


def load_price_csv(path: str | Path, max_gap_s: int = 0) -> tuple[tuple[int, float], ...]:
    """Points (epoch seconds, price), times increasing, from a price file.

    Args:
        path: a CSV or JSON file, perhaps gzipped.
        max_gap_s: the widest spacing that is not a gap; 0 leaves gaps unchecked.

    Raises:
        ScenarioError: the file cannot be read, a column is missing, or a row is malformed, out of
            order, a duplicate, not positive or after a gap; names the file and the line.
    """
    file = Path(path)
    records = read_records(file)
    columns = {re.sub(r"\s+", "_", name.strip().lower()): name for name in records[0][1]}
    time_key = next((columns[name] for name in _TIMES if name in columns), None)
    if time_key is None:
        raise ScenarioError(str(file), ", ".join(columns), "a time column: " + ", ".join(_TIMES))
    bar = _find(columns, "open"), _find(columns, "high"), _find(columns, "low")
    close = _find(columns, "close")
    is_bars = close is not None and bar[0] is not None
    price_key = close if close is not None and is_bars else _price_column(file, columns)
    end_key = next((columns[name] for name in _ENDS if name in columns), None)
    trades = "side" in columns and "amount" in columns
    rows = []
    for line, record in records:
        here = f"{file}:{line}"
        nanos = epoch_nanos(record.get(time_key), f"{here}: {time_key}")
        price = _price(record.get(price_key), f"{here}: {price_key}")
        opening = None
        if is_bars:
            values = [_price(record.get(key), f"{here}: {key}") if key else price for key in bar]
            opening, high, low = values
            if not low <= min(opening, price) or not max(opening, price) <= high:
                got = f"open {opening:g}, high {high:g}, low {low:g}, close {price:g}"
                raise ScenarioError(here, got, "low <= open, close <= high")
        end = (
            epoch_nanos(record.get(end_key), f"{here}: {end_key}") if end_key and is_bars else None
        )
        rows.append(_Row(line, nanos, end, opening, price))
    _check_order(file, rows, max_gap_s, trades)
    return _points(rows, is_bars)


def _find(columns: Mapping[str, str], name: str) -> str | None:
    return columns.get(name) or columns.get(f"price_{name}")


def _price_column(file: Path, columns: Mapping[str, str]) -> str:
    if "price" in columns:
        return columns["price"]
    found = [c for c in columns if c.endswith("price") or c == "close" or "price_usd" in c]
    if len(found) != 1:
        allowed = "open, high, low, close, or exactly one price column"
        raise ScenarioError(str(file), ", ".join(columns), allowed)
    return columns[found[0]]


def _price(raw: object, where: str) -> float:
    allowed = "a price above 0"
    try:
        value = float(raw) if isinstance(raw, str | int | float) else math.nan
    except ValueError as error:
        raise ScenarioError(where, raw, allowed) from error
    if not _MIN_PRICE <= value <= _MAX_PRICE:
        raise ScenarioError(where, raw, allowed)
    return value


def epoch_nanos(raw: object, where: str) -> int:
    """Epoch nanoseconds from an epoch number of any usual unit, or ISO 8601 text.

    Raises:
        ScenarioError: anything else; names it ``where``.
    """
    allowed = "an epoch (s, ms, us or ns) or an ISO 8601 time"
    text = str(raw).strip()
    if re.fullmatch(r"\d{8,20}(\.\d+)?", text):
        whole, _, rest = text.partition(".")
        number = int(whole)
        if number < 10**11:
            return number * _NANOS + int((rest + "0" * 9)[:9])
        for limit, factor in ((10**14, 10**6), (10**17, 10**3), (10**20, 1)):
            if number < limit:
                return number * factor
    match = _ISO_8601.fullmatch(text)
    if match is None:
        raise ScenarioError(where, raw, allowed)
    day, clock, fraction, zone = match.groups()
    try:
        moment = dt.datetime.fromisoformat(
            f"{day}T{clock or '00:00'}{'+00:00' if zone in (None, 'Z', 'UTC') else zone}"
        )
    except ValueError as error:
        raise ScenarioError(where, raw, allowed) from error
    seconds = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1)
    return seconds * _NANOS + int(((fraction or "") + "0" * 9)[:9])


def _check_order(file: Path, rows: Sequence[_Row], max_gap_s: int, trades: bool) -> None:
    for before, row in itertools.pairwise(rows):
        here = f"{file}:{row.line}"
        step = row.nanos - before.nanos
        if step < 0:
            raise ScenarioError(here, _iso(row.nanos), f"a time after {_iso(before.nanos)} (order)")
        if step == 0 and not trades:
            raise ScenarioError(here, _iso(row.nanos), "a time not there before (duplicate)")
        if max_gap_s and step > max_gap_s * _NANOS:
            allowed = f"at most {max_gap_s} s after {_iso(before.nanos)} (gap)"
            raise ScenarioError(here, _iso(row.nanos), allowed)


def _points(rows: Sequence[_Row], is_bars: bool) -> tuple[tuple[int, float], ...]:
    steps = Counter(b.nanos - a.nanos for a, b in itertools.pairwise(rows))
    width = steps.most_common(1)[0][0] if is_bars and steps else 0
    known: dict[int, float] = {}
    for i, row in enumerate(rows):
        start = -(-row.nanos // _NANOS)
        if row.open is None:
            known[start] = row.price
            continue
        known.setdefault(start, row.open)
        end = row.end if row.end is not None else row.nanos + width
        if i + 1 < len(rows):
            end = min(end, rows[i + 1].nanos)
        known[max(-(-end // _NANOS), start + 1)] = row.price
    return tuple(sorted(known.items()))


def _iso(nanos: int) -> str:
    seconds, rest = divmod(nanos, _NANOS)
    text = dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"
