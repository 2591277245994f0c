"""What an engine is: a local chain that executes whole blocks.

Bytes in, bytes out: addresses are 20 bytes, hashes and topics 32 bytes. Encoding calls, decoding
returns and naming errors happen above the engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from harness.errors import EngineError

__all__ = [
    "CALL_GAS",
    "CHAIN_ID",
    "MAX_OPEN_SNAPSHOTS",
    "TRANSACTION_GAS",
    "ZERO_ADDRESS",
    "Block",
    "Engine",
    "EngineBase",
    "Extendable",
    "Inspectable",
    "Log",
    "Receipt",
    "Transaction",
    "anchor",
]

CHAIN_ID = 31337
"""What CHAINID answers on every engine."""

TRANSACTION_GAS = 1 << 30
"""Gas every transaction executes with: generous, because declared gas, not this, fills blocks, and
finite, because an endless loop must end."""

CALL_GAS = 1 << 34
"""Gas of a read: a lens may scan many thousands of accounts in one call."""

MAX_OPEN_SNAPSHOTS = 256
"""Snapshots that may be open at once. Each takes a level of the call depth on revm (1,024)."""

ZERO_ADDRESS = bytes(20)
"""Who a read comes from: msg.sender in `Engine.call`."""


class Transaction(NamedTuple):
    """One transaction. No value is ever sent, and gas is free on every engine.

    Attributes:
        sender: an externally owned account, 20 bytes.
        to: the contract called, 20 bytes; or empty to create a contract from ``data``, which only
            the first transaction of block 1 may do (see `EngineBase`).
        data: call data, or creation code.

    """

    sender: bytes
    to: bytes
    data: bytes


class Log(NamedTuple):
    """One event as the contract emitted it.

    Attributes:
        address: the contract, 20 bytes.
        topics: 0 to 4 words of 32 bytes.
        data: the unindexed arguments, ABI-encoded.

    """

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class Receipt(NamedTuple):
    """What became of one transaction.

    Attributes:
        status: False if it reverted or halted; then it left no logs and no changes.
        logs: its events, in order.
        output: return data, or revert data of a failure (empty after a halt); None for a creation
            and on engines that do not hand it out.
        gas_used: exact gas after refunds; None on engines that do not count it exactly.

    """

    status: bool
    logs: tuple[Log, ...]
    output: bytes | None = None
    gas_used: int | None = None


class Block(NamedTuple):
    """Transactions that execute in this order at one number and time.

    Attributes:
        number: 1 for the first block, then one more each time.
        timestamp: seconds; larger than the block's before.
        transactions: may be empty.

    """

    number: int
    timestamp: int
    transactions: tuple[Transaction, ...] = ()


class Engine(Protocol):
    """A local chain. Five methods and a name; `harness.testing.engine_conformance` tests one.

    An engine belongs to one thread. An EngineError raised before anything was executed (a wrong
    number, a malformed transaction, a wrong token) leaves it as it was; one raised in mid-block
    leaves it unusable.
    """

    name: str
    """How `open_engine` and the run's manifest call it."""

    def execute(self, block: Block) -> list[Receipt]:
        """Executes a block and returns a receipt for each transaction, in order.

        Raises:
            EngineError: the number does not follow, the timestamp does not increase, a transaction
                is malformed, or the engine failed.

        """

    def call(self, to: bytes, data: bytes) -> bytes:
        """Reads: executes a message at the last executed block, discards every change.

        The contract sees that block's number and timestamp and the zero address as msg.sender. A
        call to an address without code returns nothing.

        Raises:
            Reverted: the call reverted or halted.

        """

    def snapshot(self) -> int:
        """Remembers the state, number and time of now; returns a token for `revert`."""

    def revert(self, token: int) -> None:
        """Returns to a snapshot. Tokens are used once, the newest first.

        Raises:
            EngineError: the token is not that of the newest open snapshot.

        """

    def close(self) -> None:
        """Frees what the engine holds. Closing twice is allowed; any other use then raises."""


@runtime_checkable
class Inspectable(Protocol):
    """What an engine may offer beside `Engine`, for tests and debugging."""

    def storage(self, address: bytes, slot: int) -> int:
        """The storage word of a contract, 0 if never written."""

    def balance(self, address: bytes) -> int:
        """Native balance in wei."""


@runtime_checkable
class Extendable(Protocol):
    """What an engine in this process may offer beside `Engine`: to stop in the middle of a block,
    where a snapshot may be taken, and go on with it."""

    def extend(self, transactions: Sequence[Transaction]) -> list[Receipt]:
        """Executes further transactions in the last executed block.

        Raises:
            EngineError: a transaction is malformed, or the engine failed.

        """


MarkT = TypeVar("MarkT")


class EngineBase(ABC, Generic[MarkT]):
    """The rules every engine shares: block order, well-formed transactions, snapshot tokens.

    Optional: an engine need only follow the `Engine` protocol. A subclass calls `_admit` first in
    `execute` and `_check_open` first in `call`, and says how to make (`_mark`) and restore
    (`_restore`) a snapshot of whatever type it likes.

    A contract's address must be the same on every engine, and engines disagree on nonces. Hence a
    creation is admitted only where the nonce is certain: as the first transaction of block 1. It
    makes the CREATE2 factory, which makes everything else.
    """

    name: str

    def __init__(self) -> None:
        self._number = 0
        self._timestamp = 0
        self._closed = False
        self._broken: str | None = None
        self._last_token = 0
        self._open: list[tuple[int, int, int, MarkT]] = []

    @abstractmethod
    def execute(self, block: Block) -> list[Receipt]:
        """See `Engine.execute`."""

    @abstractmethod
    def call(self, to: bytes, data: bytes) -> bytes:
        """See `Engine.call`."""

    @abstractmethod
    def _mark(self) -> MarkT:
        """Takes a snapshot of the state; number and timestamp are remembered by the caller."""

    @abstractmethod
    def _restore(self, mark: MarkT) -> None:
        """Restores a snapshot; ``_number`` and ``_timestamp`` already have their old values."""

    def _release(self) -> None:
        """Frees resources; called once."""

    def snapshot(self) -> int:
        """See `Engine.snapshot`.

        Raises:
            EngineError: too many snapshots are open, or the engine cannot be used any more.

        """
        self._check_open()
        if len(self._open) >= MAX_OPEN_SNAPSHOTS:
            raise EngineError(f"{MAX_OPEN_SNAPSHOTS} snapshots are open: revert some first")
        mark = self._mark()
        self._last_token += 1
        self._open.append((self._last_token, self._number, self._timestamp, mark))
        return self._last_token

    def revert(self, token: int) -> None:
        """See `Engine.revert`."""
        self._check_open()
        if not self._open or self._open[-1][0] != token:
            if any(token == entry[0] for entry in self._open):
                problem = f"snapshot {token} has younger ones open: revert them first"
            elif 0 < token <= self._last_token:
                problem = f"snapshot {token} is used up: take another after a revert"
            else:
                problem = f"no snapshot {token} was taken"
            raise EngineError(problem)
        _, self._number, self._timestamp, mark = self._open.pop()
        self._restore(mark)

    def close(self) -> None:
        """See `Engine.close`."""
        if not self._closed:
            self._closed = True
            self._open.clear()
            self._release()

    def _check_open(self) -> None:
        """Raises EngineError if the engine is closed or failed in mid-block."""
        if self._closed:
            raise EngineError(f"the {self.name} engine is closed")
        if self._broken is not None:
            raise EngineError(f"the {self.name} engine failed earlier: {self._broken}")

    def _admit(self, block: Block) -> None:
        """Raises EngineError unless the block may follow the last one."""
        self._check_open()
        number, timestamp, transactions = block
        if number != self._number + 1:
            raise EngineError(f"block {number} cannot follow block {self._number}")
        if timestamp <= self._timestamp:
            raise EngineError(
                f"block {number}: timestamp {timestamp} must be above {self._timestamp}"
            )
        self._admit_transactions(number, transactions)

    def _admit_transactions(
        self, number: int, transactions: Sequence[Transaction], first: int = 0
    ) -> None:
        """Raises EngineError if one of them, counted from ``first`` on, is malformed."""
        for index, (sender, to, _) in enumerate(transactions, first):
            if len(sender) != 20:
                raise EngineError(f"block {number}, transaction {index}: sender is not 20 bytes")
            if len(to) != 20 and (to or number != 1 or index != 0):
                what = "to is not 20 bytes" if to else "only block 1 may create, and in its first"
                raise EngineError(f"block {number}, transaction {index}: {what}")

    def _fail(self, number: int, index: int, reason: str) -> EngineError:
        """Marks the engine unusable after a failure in mid-block; returns the error to raise."""
        self._broken = f"block {number}, transaction {index}: {reason}"
        return EngineError(self._broken)


@contextmanager
def anchor(engine: Engine) -> Iterator[None]:
    """Undoes on exit whatever the body executes. Anchors nest."""
    token = engine.snapshot()
    try:
        yield
    finally:
        engine.revert(token)
