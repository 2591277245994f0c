"""The digest of a run: a keccak chain over its blocks, equal on every engine.

Block n:   keccak(RLP([version, previous, number, timestamp, transactions]))
           transactions = [[from, to or empty, data, status, [[address, topics, data], ...]], ...]
End:       keccak(RLP([version, previous, [packed lens read of each venue, ...]]))

The first previous digest is 32 zero bytes. Gas, nonces, hashes and return data stay outside: they
differ between engines that agree on everything a contract can see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from eth_hash.auto import keccak

from harness.engine.base import Block, Log, Receipt

__all__ = ["DIGEST_VERSION", "DigestChain", "block_digest", "final_digest"]

DIGEST_VERSION = 1

START = bytes(32)
"""What the first block's digest is chained to."""


class DigestChain:
    """The running digest of a run.

    Attributes:
        value: digest of everything added so far, 32 bytes.

    """

    __slots__ = ("value",)

    def __init__(self, value: bytes = START) -> None:
        self.value = value

    def add(self, block: Block, receipts: Sequence[Receipt]) -> bytes:
        """Chains one executed block; returns the new digest."""
        self.value = block_digest(self.value, block, receipts)
        return self.value

    def finish(self, lens_reads: Iterable[bytes]) -> bytes:
        """Chains the final state as every venue's lens packs it; returns the run's digest."""
        self.value = final_digest(self.value, lens_reads)
        return self.value


def block_digest(previous: bytes, block: Block, receipts: Sequence[Receipt]) -> bytes:
    """Digest of one block, chained to the previous one.

    Raises:
        ValueError: there is not one receipt for each transaction.

    """
    rows = []
    for (sender, to, data), receipt in zip(block.transactions, receipts, strict=True):
        logs = b"".join([_log(log) for log in receipt[1]])
        target = b"\x94" + to if to else b"\x80"
        status = b"\x01" if receipt[0] else b"\x80"
        rows.append(_list(b"\x94" + sender + target + _item(data) + status + _list(logs)))
    head = _integer(DIGEST_VERSION) + _item(previous)
    time = _integer(block.number) + _integer(block.timestamp)
    return keccak(_list(head + time + _list(b"".join(rows))))


def final_digest(previous: bytes, lens_reads: Iterable[bytes]) -> bytes:
    """Digest of the final state, chained to the last block's."""
    body = b"".join((_integer(DIGEST_VERSION), _item(previous), _items(lens_reads)))
    return keccak(_list(body))


# Recursive length prefix, https://ethereum.org/developers/docs/data-structures-and-encoding/rlp


@lru_cache(4096)
def _prefix(base: int, length: int) -> bytes:
    if length < 56:
        return bytes((base + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((base + 55 + len(size),)) + size


_TOPICS_PREFIX = [_prefix(0xC0, 33 * count) for count in range(5)]


def _log(log: Log) -> bytes:
    address, topics, data = log
    words = b"".join([b"\xa0" + topic for topic in topics])
    return _list(b"\x94" + address + _TOPICS_PREFIX[len(topics)] + words + _item(data))


def _item(data: bytes) -> bytes:
    if len(data) == 1 and data[0] < 0x80:
        return data
    return _prefix(0x80, len(data)) + data


def _items(values: Iterable[bytes]) -> bytes:
    return _list(b"".join([_item(value) for value in values]))


def _integer(value: int) -> bytes:
    return _item(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _list(body: bytes) -> bytes:
    return _prefix(0xC0, len(body)) + body
