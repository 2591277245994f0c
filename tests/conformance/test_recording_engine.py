"""An engine of one's own takes five methods: the kit on one that wraps another."""

from __future__ import annotations

import pytest

from harness.engine import anchor, default_engine_name, open_engine
from harness.testing.engine_conformance import (
    GOLDEN_DIGEST,
    EngineConformance,
    MakeEngine,
    ProbeChain,
    golden_history,
)
from harness.testing.recording_engine import RecordingEngine


class TestRecordingEngine(EngineConformance):
    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        return lambda: RecordingEngine(open_engine(default_engine_name()))


def test_history_replays_to_the_same_receipts() -> None:
    engine = RecordingEngine(open_engine(default_engine_name()))
    assert golden_history(engine) == GOLDEN_DIGEST
    replica = open_engine("py-evm")
    assert len(engine.history) == 6
    for block, receipts in engine.history:
        again = [receipt[:2] for receipt in replica.execute(block)]
        assert again == [receipt[:2] for receipt in receipts]


def test_history_forgets_what_was_reverted() -> None:
    engine = RecordingEngine(open_engine(default_engine_name()))
    chain = ProbeChain(engine)
    with anchor(engine):
        chain.send("bump", 1)
        with anchor(engine):
            chain.send("bump", 1)
        assert len(engine.history) == 2
    assert len(engine.history) == 1
