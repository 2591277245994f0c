"""revm through its Python binding pyrevm: the fast engine.

It hands out return and revert data. Its journal is never finalised, so its gas figures are too low
and are not passed on; it keeps about 650 bytes for each transaction executed, and nothing for a
read. Use one engine for each run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyrevm import EVM, BlockEnv, CfgEnv, Env, JournalCheckpoint
from pyrevm import Log as PyrevmLog

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

__all__ = ["RevmEngine"]


class _Hex(dict[bytes, str]):
    """Address bytes to the text pyrevm takes; each is formatted once."""

    def __missing__(self, address: bytes) -> str:
        if len(address) != 20:
            raise EngineError(f"0x{address.hex()} is not an address of 20 bytes")
        text = self[address] = "0x" + address.hex()
        return text


class _Bytes(dict[str, bytes]):
    """The checksummed text pyrevm gives to address bytes; each is parsed once."""

    def __missing__(self, text: str) -> bytes:
        address = self[text] = bytes.fromhex(text[2:])
        return address


class RevmEngine(EngineBase[JournalCheckpoint]):
    """An in-process EVM at Cancun rules."""

    name = "revm"

    def __init__(self) -> None:
        super().__init__()
        self._evm = EVM(
            spec_id="Cancun",
            gas_limit=CALL_GAS,  # of the block, whatever its own environment says
            env=Env(cfg=CfgEnv(chain_id=CHAIN_ID)),
        )
        self._evm.set_block_env(BlockEnv(number=0, timestamp=0))
        self._hex = _Hex()
        self._bytes = _Bytes()
        self._zero = self._hex[ZERO_ADDRESS]

    def execute(self, block: Block) -> list[Receipt]:
        """See `Engine.execute`. Receipts carry the output, never the gas."""
        number, timestamp, transactions = block
        self._admit(block)
        self._evm.set_block_env(BlockEnv(number=number, timestamp=timestamp))
        receipts = self._send(number, transactions)
        self._number, self._timestamp = number, timestamp
        return receipts

    def extend(self, transactions: Sequence[Transaction]) -> list[Receipt]:
        """See `Extendable.extend`."""
        self._check_open()
        self._admit_transactions(self._number, transactions, first=1)
        return self._send(self._number, transactions)

    def _send(self, number: int, transactions: Sequence[Transaction]) -> list[Receipt]:
        evm, texts, parsed = self._evm, self._hex, self._bytes
        send, reset = evm.message_call, evm.reset_transient_storage
        receipts: list[Receipt] = []
        try:
            for sender, to, data in transactions:
                reset()
                try:
                    if to:
                        output = send(texts[sender], texts[to], data, None, TRANSACTION_GAS)
                    else:
                        self._create(sender, data)
                        output = None
                except RuntimeError as error:
                    receipts.append(Receipt(False, (), _revert_data(error) if to else None))
                else:
                    result: Any = evm.result
                    logs = result.logs
                    receipts.append(
                        Receipt(
                            True,
                            tuple([Log(parsed[log.address], *_words(log)) for log in logs])
                            if logs
                            else (),
                            output,
                        )
                    )
        except Exception as error:
            raise self._fail(number, len(receipts), str(error)) from error
        return receipts

    def call(self, to: bytes, data: bytes) -> bytes:
        """See `Engine.call`. Leaves nothing behind: neither state nor memory."""
        if self._closed or self._broken is not None:
            self._check_open()
        evm = self._evm
        target = self._hex[to]
        evm.reset_transient_storage()
        checkpoint = evm.snapshot()
        try:
            return evm.message_call(self._zero, target, data, None, CALL_GAS)
        except RuntimeError as error:
            raise Reverted(_revert_data(error)) from None
        finally:
            evm.revert(checkpoint)

    def storage(self, address: bytes, slot: int) -> int:
        """See `Inspectable.storage`."""
        self._check_open()
        return self._evm.storage(self._hex[address], slot)

    def balance(self, address: bytes) -> int:
        """See `Inspectable.balance`."""
        self._check_open()
        return self._evm.get_balance(self._hex[address])

    def _create(self, sender: bytes, code: bytes) -> None:
        created = self._evm.deploy(self._hex[sender], code, None, TRANSACTION_GAS)
        if bytes.fromhex(created[2:]) != create_address(sender, 0):
            raise EngineError(f"created {created}, not the address of nonce 0")

    def _mark(self) -> JournalCheckpoint:
        return self._evm.snapshot()

    def _restore(self, mark: JournalCheckpoint) -> None:
        self._evm.revert(mark)
        self._evm.set_block_env(BlockEnv(number=self._number, timestamp=self._timestamp))

    def _release(self) -> None:
        del self._evm


def _words(log: PyrevmLog) -> tuple[tuple[bytes, ...], bytes]:
    topics, data = log.data
    return tuple(topics), data


def _revert_data(error: RuntimeError) -> bytes:
    """Revert data out of the text of pyrevm's exception; empty for a halt."""
    text = str(error)
    if text.startswith("Revert {"):
        start = text.index("output: 0x") + 10
        return bytes.fromhex(text[start : text.index(" ", start)])
    if text.startswith("Halt {"):
        return b""
    raise EngineError(f"revm refused: {text}") from error
