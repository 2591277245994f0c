"""py-evm driven directly, without a chain around it: exact gas, on every platform.

Each block runs on py-evm's own transaction executor at Cancun rules and is persisted to an
in-memory trie, whose root is all a snapshot has to remember.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3, ZERO_HASH32
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth.vm.message import Message
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address, BlockNumber, Hash32

from harness.accounts import create_address
from harness.engine.base import (
    CALL_GAS,
    CHAIN_ID,
    TRANSACTION_GAS,
    ZERO_ADDRESS,
    Block,
    EngineBase,
    Log,
    Receipt,
    Transaction,
)
from harness.errors import EngineError, Reverted

__all__ = ["PyEvmEngine"]

_ZERO = Address(ZERO_ADDRESS)


class PyEvmEngine(EngineBase[bytes]):
    """An in-process EVM in pure Python. Its snapshots are state roots."""

    name = "py-evm"

    def __init__(self) -> None:
        super().__init__()
        self._db = AtomicDB()
        self._state = self._state_at(BLANK_ROOT_HASH)

    def execute(self, block: Block) -> list[Receipt]:
        """See `Engine.execute`. Receipts carry the output and the exact gas."""
        self._admit(block)
        number, timestamp, transactions = block
        self._state.execution_context = _context(number, timestamp)
        receipts = self._send(number, transactions)
        self._number, self._timestamp = number, timestamp
        return receipts

    def extend(self, transactions: Sequence[Transaction]) -> list[Receipt]:
        """See `Extendable.extend`."""
        self._check_open()
        self._admit_transactions(self._number, transactions, first=1)
        return self._send(self._number, transactions)

    def _send(self, number: int, transactions: Sequence[Transaction]) -> list[Receipt]:
        receipts: list[Receipt] = []
        try:
            receipts.extend(map(self._apply, transactions))
            self._state.persist()
        except Exception as error:
            raise self._fail(number, len(receipts), repr(error)) from error
        return receipts

    def call(self, to: bytes, data: bytes) -> bytes:
        """See `Engine.call`."""
        self._check_open()
        state = self._state
        snapshot = state.snapshot()
        try:
            message = Message(
                gas=CALL_GAS,
                to=Address(to),
                sender=_ZERO,
                value=0,
                data=data,
                code=state.get_code(Address(to)),
            )
            context = state.get_transaction_context_class()(gas_price=0, origin=_ZERO)
            computation = state.computation_class.apply_message(state, message, context)
        finally:
            state.revert(snapshot)
        if computation.is_error:
            raise Reverted(computation.output)
        return computation.output

    def storage(self, address: bytes, slot: int) -> int:
        """See `Inspectable.storage`."""
        self._check_open()
        return self._state.get_storage(Address(address), slot)

    def balance(self, address: bytes) -> int:
        """See `Inspectable.balance`."""
        self._check_open()
        return self._state.get_balance(Address(address))

    def _apply(self, transaction: Transaction) -> Receipt:
        sender, to, data = transaction
        state = self._state
        if state.get_code_hash(Address(sender)) != EMPTY_SHA3:
            raise EngineError(f"sender 0x{sender.hex()} is a contract")
        state.lock_changes()
        unsigned = CancunTransactionBuilder.create_unsigned_transaction(
            nonce=state.get_nonce(Address(sender)),
            gas_price=0,
            gas=TRANSACTION_GAS,
            to=Address(to),
            value=0,
            data=data,
        )
        executor: Any = state.get_transaction_executor()
        computation = executor(SpoofTransaction(unsigned, from_=sender))
        used = TRANSACTION_GAS - computation.get_gas_remaining()
        used -= executor.calculate_gas_refund(computation, used)
        if (
            not to
            and computation.is_success
            and computation.msg.storage_address != create_address(sender, 0)
        ):
            raise EngineError("the creation's sender has a history")
        logs = tuple(
            Log(address, tuple(topic.to_bytes(32, "big") for topic in topics), log_data)
            for address, topics, log_data in computation.get_log_entries()
        )
        output = computation.output if to else None
        return Receipt(computation.is_success, logs, output, used)

    def _state_at(self, root: bytes) -> CancunState:
        return CancunState(self._db, _context(self._number, self._timestamp), Hash32(root))

    def _mark(self) -> bytes:
        return self._state.state_root

    def _restore(self, mark: bytes) -> None:
        self._state = self._state_at(mark)

    def _release(self) -> None:
        del self._state, self._db


def _context(number: int, timestamp: int) -> ExecutionContext:
    """What a contract can see of its block."""
    return ExecutionContext(
        coinbase=_ZERO,
        timestamp=timestamp,
        block_number=BlockNumber(number),
        difficulty=0,
        mix_hash=ZERO_HASH32,
        gas_limit=CALL_GAS,
        prev_hashes=(),
        chain_id=CHAIN_ID,
        base_fee_per_gas=0,
        excess_blob_gas=0,
    )
