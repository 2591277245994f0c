"""Encodings made in bulk are those made one by one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from harness.contracts import Words, artifact
from harness.tables import Columns

COLUMNS: list[tuple[str, Any, list[Any]]] = [
    ("int64", pa.int64(), [0, -(1 << 63), (1 << 63) - 1]),
    ("text", pa.string(), ["", "revert: 1 €", "a"]),
    ("bytes", pa.binary(), [b"", b"\0\xff", bytes(1000)]),
    ("big", pa.decimal256(76, 0), [0, 10**76 - 1, -(10**75), 1 << 128]),
]


def test_words_stand_for_the_addresses_they_hold() -> None:
    lens = artifact("LendingLens").functions["shortfallAt"]
    market, prices = b"\x11" * 20, [10**18, 2]
    accounts = [bytes([n]) * 20 for n in range(1, 40)]
    words = Words(b"".join([bytes(12) + account for account in accounts]))
    assert lens.encode(market, words, prices) == lens.encode(market, accounts, prices)
    assert lens.encode(market, Words(b""), prices) == lens.encode(market, [], prices)


@pytest.mark.parametrize("gaps", [(), (0,), (1, 2), (0, 1, 2, 3)], ids=str)
@pytest.mark.parametrize(("kind", "type_", "values"), COLUMNS, ids=[c[0] for c in COLUMNS])
def test_columns_equal_what_pyarrow_makes(
    kind: str, type_: Any, values: list[Any], gaps: tuple[int, ...]
) -> None:
    column = [None if place in gaps else value for place, value in enumerate(values * 3)]
    for given in (column, []):
        columns = Columns()
        columns.put("column", iter(given), kind)
        made = columns.table().column("column")
        made.validate(full=True)
        whole = [Decimal(v) if kind == "big" and v is not None else v for v in given]
        assert made.type == type_
        assert made.combine_chunks().equals(pa.array(whole, type_))
