"""EXCHANGE_GAS measured again: the small scenario's fall on py-evm, which counts gas exactly."""

from __future__ import annotations

from collections import defaultdict

import pytest

from harness.cuts import UNCUT
from harness.engine import open_engine
from harness.orders import EXCHANGE_GAS
from harness.recorder import Recorder
from harness.run import Stage


@pytest.mark.slow
def test_every_action_on_an_exchange_declares_the_most_it_used(small, monkeypatch) -> None:
    """As in tests/simulation/test_declared_gas.py: fees, and so this table, change a little of what
    is used; up to 2% above what is measured is allowed, nothing below."""
    used: dict[str, list[int]] = defaultdict(list)
    kept = Recorder.executed

    def executed(self, index, block, receipts, top, chosen):
        kept(self, index, block, receipts, top, chosen)
        first = len(receipts) - len(chosen.included)
        for order, receipt in zip(chosen.included, receipts[first:], strict=True):
            used[order.action].append(receipt.gas_used)

    monkeypatch.setattr(Recorder, "executed", executed)
    engine = open_engine("py-evm")
    try:
        Stage(small(), 3, engine).play(UNCUT)
    finally:
        engine.close()
    assert set(EXCHANGE_GAS) <= set(used)
    for action, gas in EXCHANGE_GAS.items():
        most = -(-max(used[action]) // 1000) * 1000
        assert most <= gas <= most * 1.02, (action, most)
