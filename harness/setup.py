"""Set-up of a chain as one list of transactions, known before any of them runs.

Addresses come from CREATE2, so every transaction of a set-up, calls to contracts that do not yet
exist included, can be written down first. That makes the number of set-up blocks known, and with
it the timestamp of each: the scenario's clock starts exactly when set-up ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.accounts import DEPLOYER, create2_address, create_address
from harness.contracts import Artifact, Contract, artifact, decode_error
from harness.engine.base import Block, Receipt, Transaction
from harness.errors import EngineError, ScenarioError

TRANSACTIONS_PER_BLOCK = 500


class Setup:
    """Collects the transactions that build a chain, in order.

    ``transactions`` starts with the creation of the CREATE2 factory by the deployer account,
    which makes nothing else, so that the factory has the same address on every engine.
    ``contracts`` holds everything deployed, by address.
    """

    def __init__(self) -> None:
        self._deployer = DEPLOYER.address
        self._factory = Contract("Create2Factory", create_address(self._deployer, 0))
        self._salts = 0
        #: how many transactions there were when time was let pass, and how many seconds
        self._waits: list[tuple[int, int]] = []
        self.contracts: dict[bytes, Contract] = {}
        self.transactions: list[Transaction] = [
            Transaction(self._deployer, b"", artifact("Create2Factory").initcode())
        ]

    def deploy(self, name: str, *args: Any, compiled: Artifact | None = None) -> Contract:
        """Deploys a contract through the factory; each call has a salt of its own."""
        code = (artifact(name) if compiled is None else compiled).initcode(*args)
        salt = self._salts.to_bytes(32, "big")
        self._salts += 1
        self.transactions.append(
            Transaction(
                self._deployer, self._factory.address, self._factory.encode("deploy", salt, code)
            )
        )
        contract = Contract(
            name, create2_address(self._factory.address, salt, code), compiled=compiled
        )
        self.contracts[contract.address] = contract
        return contract

    def send(self, sender: bytes, contract: Contract, function: str, *args: Any) -> None:
        """Adds a call to a contract."""
        self.call(sender, contract, contract.encode(function, *args))

    def call(self, sender: bytes, contract: Contract, data: bytes) -> None:
        """Adds a call to a contract that is encoded already."""
        self.transactions.append(Transaction(sender, contract.address, data))

    def wait(self, seconds: int) -> None:
        """What follows is in another block, so many seconds (at least 1) after what went before."""
        self._waits.append((len(self.transactions), seconds))

    def require_success(self, block: Block, receipts: Sequence[Receipt]) -> None:
        """Raises ScenarioError if any of these transactions failed: what it names is what a
        scenario asks for, and its contracts refuse."""
        for sent, receipt in zip(block.transactions, receipts, strict=True):
            if not receipt.status:
                reason = decode_error(receipt.output or b"")
                allowed = f"what the contracts accept; this one's answer is {reason}"
                raise ScenarioError("set-up", self._told(sent), allowed)

    def _told(self, sent: Transaction) -> str:
        """What a transaction does: the contract it deploys, or contract and function."""
        if not sent.to:
            return "Create2Factory"
        if sent.to == self._factory.address:
            salt, code = self._factory.artifact.functions["deploy"].decode_input(sent.data)
            return self.contracts[create2_address(sent.to, salt, code)].name
        contract = self.contracts[sent.to]
        functions = contract.artifact.functions.values()
        named = {function.selector: function.name for function in functions}
        return f"{contract.name}.{named[sent.data[:4]]}"

    def blocks(self, end: int) -> list[Block]:
        """The set-up as blocks numbered from 1, a second apart but for what `wait` asked, the last
        one second before ``end`` (epoch seconds)."""
        chunks: list[tuple[Transaction, ...]] = []
        gaps: list[int] = []
        start = 0
        for stop, seconds in (*self._waits, (len(self.transactions), 1)):
            for at in range(start, stop, TRANSACTIONS_PER_BLOCK):
                chunks.append(tuple(self.transactions[at : min(at + TRANSACTIONS_PER_BLOCK, stop)]))
                gaps.append(1)
            gaps[-1] = seconds
            start = stop
        times = [end - sum(gaps[place:]) for place in range(len(chunks))]
        numbered = enumerate(zip(times, chunks, strict=True), 1)
        return [Block(number, time, chunk) for number, (time, chunk) in numbered]


def require_success(block: Block, receipts: Sequence[Receipt]) -> None:
    """Raises EngineError with the decoded reason if any transaction of a block failed."""
    for index, receipt in enumerate(receipts):
        if not receipt.status:
            sent = block.transactions[index]
            raise EngineError(
                f"set-up transaction {index} of block {block.number} to 0x{sent.to.hex()} "
                f"(call {sent.data[:4].hex()}) failed: {decode_error(receipt.output or b'')}"
            )
