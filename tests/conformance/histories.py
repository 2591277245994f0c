"""Histories of blocks written down before any of them runs, and what an engine makes of them.

They are written on a chain that exists only as addresses: nothing in them depends on an engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.accounts import DEPLOYER, create2_address, create_address
from harness.contracts import Contract, artifact
from harness.engine import Block, Engine, Receipt, Transaction, open_engine
from harness.engine.digest import DigestChain
from harness.errors import Reverted

FACTORY = Contract("Create2Factory", create_address(DEPLOYER.address, 0))


class Script:
    """Blocks, of which the first begins with the factory, and reads to make now and then."""

    def __init__(self) -> None:
        creation = artifact("Create2Factory").initcode()
        self.blocks: list[Block] = []
        self.pending = [Transaction(DEPLOYER.address, b"", creation)]
        self.contracts: list[Contract] = []
        self.reads: list[tuple[bytes, bytes]] = []
        self.now = 1_700_000_000

    def deploy(self, name: str, *args: Any) -> Contract:
        """A contract by CREATE2."""
        salt = len(self.contracts).to_bytes(32, "big")
        code = artifact(name).initcode(*args)
        self.send(DEPLOYER.address, FACTORY, "deploy", salt, code)
        self.contracts.append(Contract(name, create2_address(FACTORY.address, salt, code)))
        return self.contracts[-1]

    def send(self, sender: bytes, to: Contract, function: str, *args: Any) -> None:
        """A transaction of the next block."""
        self.pending.append(Transaction(sender, to.address, to.encode(function, *args)))

    def close_block(self, seconds: int = 12) -> None:
        """Ends a block, so many seconds after the last."""
        self.now += seconds
        self.blocks.append(Block(len(self.blocks) + 1, self.now, tuple(self.pending)))
        self.pending = []


@dataclass
class Outcome:
    """What an engine made of a script; words of storage where they were asked for."""

    receipts: list[list[Receipt]] = field(default_factory=list)
    reads: list[tuple[bool, bytes]] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    storage: dict[tuple[bytes, int], int] = field(default_factory=dict)


def play(engine: Engine, script: Script, read_every: int) -> Outcome:
    """Executes every block; the reads are made after each of so many, once the set-up is done."""
    outcome, digest = Outcome(), DigestChain()
    for block in script.blocks:
        receipts = engine.execute(block)
        outcome.receipts.append(receipts)
        outcome.digests.append(digest.add(block, receipts))
        if block.number > 3 and block.number % read_every == 0:
            for to, data in script.reads:
                try:
                    outcome.reads.append((True, engine.call(to, data)))
                except Reverted as error:
                    outcome.reads.append((False, error.data))
    return outcome


def open_other(spec: str, request: pytest.FixtureRequest) -> Engine:
    """An engine other than py-evm, skipping the test where it cannot be had."""
    if spec == "revm":
        pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform")
    if spec == "rpc":
        spec = f"rpc:{request.getfixturevalue('anvil').url}"
    return open_engine(spec)


def check_agreement(outcome: Outcome, reference: Outcome) -> None:
    """Receipts, as far as an engine gives them, reads and digests are those of the reference."""
    for ours, theirs in zip(outcome.receipts, reference.receipts, strict=True):
        assert [r.status for r in ours] == [r.status for r in theirs]
        assert [r.logs for r in ours] == [r.logs for r in theirs]
        for mine, his in zip(ours, theirs, strict=True):
            assert mine.output in (None, his.output)
            assert mine.gas_used in (None, his.gas_used)
    assert outcome.reads == reference.reads
    assert outcome.digests == reference.digests
