"""Rounds of the waterfall, written down on one engine and run again on the others: all agree."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.engine import Engine, open_engine
from harness.testing.recording_engine import RecordingEngine

SEED = 20_261_121


@pytest.fixture
def engine() -> RecordingEngine:
    """The reference, remembered."""
    return RecordingEngine(open_engine("py-evm"))


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["revm", "eth-tester"])
def test_engines_agree_on_every_receipt(
    engine: RecordingEngine, make_world: Any, spec: str
) -> None:
    if spec == "revm":
        pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform")
    rng = random.Random(SEED)
    world = make_world(rng)
    for _ in range(4):
        world.crash()
        world.configure()
        world.money()
        world.venue.settle([*world.words, world.venue.word("insurance")], rng)
    assert {"insurance", "default_fund", "deleveraging"} <= set(world.rig.by_step())
    replica: Engine = open_engine(spec)
    for block, receipts in engine.history:
        again = replica.execute(block)
        assert [r[:2] for r in again] == [r[:2] for r in receipts], block.number
    replica.close()
