"""eth-tester through web3: signed transactions in, JSON-RPC shaped receipts out.

eth-tester mines a block for each transaction, on the wall clock, and looks receipts up by scanning
the chain. Here raw transactions wait in its backend and are mined together when asked, at the
block's own time, with their receipts at hand. Receipts carry exact gas and no output: JSON-RPC has
none to give. Senders must be accounts of `harness.accounts`, whose keys are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eth.constants import GENESIS_PARENT_HASH
from eth.vm.forks.cancun import CancunVM
from eth.vm.spoof import SpoofTransaction
from eth_tester import EthereumTester
from eth_tester.backends.pyevm.main import PyEVMBackend
from eth_tester.backends.pyevm.serializers import serialize_transaction_receipt
from eth_utils.address import to_checksum_address
from web3 import EthereumTesterProvider, Web3

from harness.accounts import find_key
from harness.engine._signing import sign
from harness.engine.base import (
    CALL_GAS,
    CHAIN_ID,
    ZERO_ADDRESS,
    Block,
    EngineBase,
    Log,
    Receipt,
)
from harness.errors import EngineError, Reverted

__all__ = ["EthTesterEngine"]

_BLOCK_GAS = 1 << 50
_ZERO_HEX = to_checksum_address(ZERO_ADDRESS)


class _Backend(PyEVMBackend):  # type: ignore[misc]  # eth-tester is untyped
    """eth-tester's py-evm backend with a queue, a clock of its own and receipts by hash."""

    def __init__(self) -> None:
        genesis = self.generate_genesis_params({"timestamp": 0, "gas_limit": _BLOCK_GAS})
        genesis["base_fee_per_gas"] = 0  # not among the overrides that eth-tester allows
        super().__init__(genesis_parameters=genesis, vm_configuration=((0, CancunVM),))
        type(self.chain).chain_id = CHAIN_ID  # the class is made anew for each backend
        self.timestamp = 0
        self._queue: list[Any] = []
        self._receipts: dict[bytes, Mapping[str, Any]] = {}

    def send_raw_transaction(self, raw_transaction: bytes) -> bytes:
        transaction = self.chain.get_vm().get_transaction_builder().decode(raw_transaction)
        self._queue.append(transaction)
        digest: bytes = transaction.hash
        return digest

    def mine_blocks(self, num_blocks: int = 1, coinbase: bytes = ZERO_ADDRESS) -> tuple[bytes, ...]:
        if num_blocks != 1:
            raise EngineError("blocks are mined one at a time")
        transactions, self._queue = self._queue, []
        self.chain.set_header_timestamp(self.timestamp)
        result, receipts, _ = self.chain.mine_all(
            transactions, coinbase=coinbase, mix_hash=bytes(32)
        )
        block = result.imported_block
        vm = self.chain.get_vm()
        self._receipts = {
            transaction.hash: serialize_transaction_receipt(
                block, receipts, transaction, index, is_pending=False, vm=vm
            )
            for index, transaction in enumerate(transactions)
        }
        return (block.hash,)

    def get_transaction_receipt(self, transaction_hash: bytes) -> Mapping[str, Any]:
        return self._receipts[transaction_hash]

    def revert_to_snapshot(self, snapshot: bytes) -> None:
        """As inherited, without executing the snapshot's block again."""
        chaindb = self.chain.chaindb
        header = self.chain.get_block_header_by_hash(snapshot)
        chaindb._set_as_canonical_chain_head(chaindb.db, header, GENESIS_PARENT_HASH)  # noqa: SLF001 - as inherited
        self.chain.header = self.chain.create_header_from_parent(header)

    def call(self, transaction: dict[str, Any], block_number: str = "latest") -> bytes:
        """As inherited, but a failure carries its data."""
        header = self.chain.get_canonical_head()
        unsigned = self._get_normalized_and_unsigned_evm_transaction(transaction, block_number)
        state = self.chain.get_vm(at_header=header).state
        computation = state.apply_transaction(SpoofTransaction(unsigned, from_=transaction["from"]))
        output: bytes = computation.output
        if computation.is_error:
            raise Reverted(output)
        return output


class _Tester(EthereumTester):  # type: ignore[misc]  # eth-tester is untyped
    """Leaves sent transactions in the backend's queue until ``evm_mine``."""

    def mine_block(self, coinbase: str = _ZERO_HEX) -> None:
        """Called after each transaction; nothing to do."""


class EthTesterEngine(EngineBase[str]):
    """eth-tester behind web3. The slowest engine, and the most independent of this package."""

    name = "eth-tester"

    def __init__(self) -> None:
        super().__init__()
        self._backend = _Backend()
        tester = _Tester(self._backend)
        self._web3 = Web3(EthereumTesterProvider(tester), middleware=[])
        self._nonces: dict[bytes, int] = {}

    def execute(self, block: Block) -> list[Receipt]:
        """See `Engine.execute`. Receipts carry the exact gas, never the output.

        Raises:
            EngineError: also when a sender's key is not known.

        """
        self._admit(block)
        number, timestamp, transactions = block
        keys = [_key(sender) for sender, _, _ in transactions]
        eth = self._web3.eth
        try:
            hashes = []
            for key, (sender, to, data) in zip(keys, transactions, strict=True):
                nonce = self._nonces.get(sender)
                if nonce is None:
                    nonce = eth.get_transaction_count(to_checksum_address(sender))
                self._nonces[sender] = nonce + 1
                hashes.append(eth.send_raw_transaction(sign(key, nonce, to, data, CHAIN_ID)))
            self._backend.timestamp = timestamp
            self._request("evm_mine", [1])
            receipts = [_receipt(eth.get_transaction_receipt(item)) for item in hashes]
        except Exception as error:
            raise self._fail(number, 0, repr(error)) from error
        self._number, self._timestamp = number, timestamp
        return receipts

    def call(self, to: bytes, data: bytes) -> bytes:
        """See `Engine.call`."""
        self._check_open()
        return bytes(
            self._web3.eth.call(
                {
                    "from": _ZERO_HEX,
                    "to": to_checksum_address(to),
                    "data": Web3.to_hex(data),
                    "gas": CALL_GAS,
                    "gasPrice": Web3.to_wei(0, "wei"),
                }
            )
        )

    def storage(self, address: bytes, slot: int) -> int:
        """See `Inspectable.storage`."""
        self._check_open()
        word = self._web3.eth.get_storage_at(to_checksum_address(address), slot)
        return int.from_bytes(word, "big")

    def balance(self, address: bytes) -> int:
        """See `Inspectable.balance`."""
        self._check_open()
        return self._web3.eth.get_balance(to_checksum_address(address))

    def _mark(self) -> str:
        token: str = self._request("evm_snapshot", [])
        return token

    def _restore(self, mark: str) -> None:
        self._nonces.clear()
        self._request("evm_revert", [mark])

    def _release(self) -> None:
        del self._web3, self._backend

    def _request(self, method: str, parameters: list[Any]) -> Any:
        return self._web3.manager.request_blocking(method, parameters)  # type: ignore[arg-type]


def _key(sender: bytes) -> bytes:
    key = find_key(sender)
    if key is None:
        raise EngineError(
            f"eth-tester has no key for sender 0x{sender.hex()}: "
            "derive its address with harness.accounts.account first"
        )
    return key


def _receipt(receipt: Mapping[str, Any]) -> Receipt:
    return Receipt(bool(receipt["status"]), tuple(_logs(receipt["logs"])), None, receipt["gasUsed"])


def _logs(entries: Iterable[Mapping[str, Any]]) -> Iterable[Log]:
    for entry in entries:
        yield Log(
            bytes.fromhex(entry["address"][2:]),
            tuple(bytes(topic) for topic in entry["topics"]),
            bytes(entry["data"]),
        )
