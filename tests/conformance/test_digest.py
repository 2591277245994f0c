"""The digest against an independent encoder."""

from __future__ import annotations

import pytest
import rlp
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from harness.engine import Block, Log, Receipt, Transaction
from harness.engine.digest import DigestChain, block_digest, final_digest

words = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20)
logs = st.builds(Log, addresses, st.lists(words, max_size=4).map(tuple), st.binary(max_size=300))
transactions = st.builds(Transaction, addresses, addresses | st.just(b""), st.binary(max_size=300))
receipts = st.builds(
    Receipt,
    st.booleans(),
    st.lists(logs, max_size=4).map(tuple),
    st.none() | st.binary(max_size=9),
    st.none() | st.integers(0, 1 << 40),
)
rows = st.lists(st.tuples(transactions, receipts), max_size=6)
heights = st.integers(0, (1 << 64) - 1)


@given(words, heights, heights, rows)
def test_block_digest_is_keccak_of_rlp(
    previous: bytes, number: int, timestamp: int, pairs: list[tuple[Transaction, Receipt]]
) -> None:
    block = Block(number, timestamp, tuple(transaction for transaction, _ in pairs))
    tree = [
        [
            transaction.sender,
            transaction.to,
            transaction.data,
            int(receipt.status),
            [[log.address, list(log.topics), log.data] for log in receipt.logs],
        ]
        for transaction, receipt in pairs
    ]
    expected = keccak(rlp.encode([1, previous, number, timestamp, tree]))
    assert block_digest(previous, block, [receipt for _, receipt in pairs]) == expected


@given(words, st.lists(st.binary(max_size=200), max_size=5))
def test_final_digest_is_keccak_of_rlp(previous: bytes, reads: list[bytes]) -> None:
    assert final_digest(previous, reads) == keccak(rlp.encode([1, previous, reads]))


def test_chain_starts_at_zero_and_links_blocks() -> None:
    chain = DigestChain()
    first, second = Block(1, 10), Block(2, 11)
    one = block_digest(bytes(32), first, [])
    assert chain.add(first, []) == one
    assert chain.add(second, []) == block_digest(one, second, [])
    assert chain.finish([b"x"]) == final_digest(block_digest(one, second, []), [b"x"])


def test_gas_and_output_stay_outside() -> None:
    block = Block(1, 10, (Transaction(b"\1" * 20, b"\2" * 20, b""),))
    bare = block_digest(bytes(32), block, [Receipt(True, ())])
    assert block_digest(bytes(32), block, [Receipt(True, (), b"output", 21_000)]) == bare


def test_missing_receipt_is_an_error() -> None:
    block = Block(1, 10, (Transaction(b"\1" * 20, b"\2" * 20, b""),))
    with pytest.raises(ValueError, match="zip"):
        block_digest(bytes(32), block, [])
