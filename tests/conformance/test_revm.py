"""What is particular to revm: its journal only grows, and its snapshots can corrupt it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.engine import Transaction, open_engine
from harness.engine.base import MAX_OPEN_SNAPSHOTS
from harness.errors import EngineError, Reverted
from harness.testing.engine_conformance import ALICE, FAILURES, PROBE, ProbeChain, probe

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform")


@pytest.fixture
def chain() -> Iterator[ProbeChain]:
    engine = open_engine("revm")
    yield ProbeChain(engine)
    engine.close()


def journal(chain: ProbeChain) -> tuple[int, int]:
    engine: Any = chain.engine
    return engine._evm.journal_depth, engine._evm.journal_len


def test_reads_leave_the_journal_as_it_was(chain: ProbeChain) -> None:
    before = journal(chain)
    for _ in range(2000):
        chain.read("bump", 1)
        chain.read("addTransient", 1)
        chain.read("create2", bytes(32), b"\x00")
    for name, (args, _) in FAILURES.items():
        with pytest.raises(Reverted):
            chain.read(name, *args)
    assert journal(chain) == before


def test_reverted_snapshots_leave_the_journal_as_it_was(chain: ProbeChain) -> None:
    before, block = journal(chain), chain.block
    for _ in range(2000):
        token = chain.engine.snapshot()
        chain.send("bump", 1)
        chain.engine.revert(token)
        chain.block = block
    assert journal(chain) == before


def test_failed_transactions_leave_the_call_depth_as_it_was(chain: ProbeChain) -> None:
    for name, (args, _) in FAILURES.items():
        assert not chain.send(name, *args).status
        assert journal(chain)[0] == 0


def test_failure_in_mid_block_makes_the_engine_unusable(chain: ProbeChain) -> None:
    wrong: Any = "not bytes"
    with pytest.raises(EngineError, match="transaction 1"):
        chain.execute(probe("bump", 1), Transaction(ALICE, PROBE.address, wrong))
    with pytest.raises(EngineError, match="failed earlier"):
        chain.read("counter")


def test_open_snapshots_are_limited_below_the_call_depth(chain: ProbeChain) -> None:
    for _ in range(MAX_OPEN_SNAPSHOTS):
        chain.engine.snapshot()
    with pytest.raises(EngineError, match="snapshots are open"):
        chain.engine.snapshot()
