"""Gas of the calls of one function in a run, on py-evm, which counts it exactly."""

from __future__ import annotations

from harness.cuts import UNCUT
from harness.engine import open_engine
from harness.run import Stage
from harness.scenario import Scenario


def gas_of_withdrawals(scenario: Scenario, seed: int) -> list[int]:
    """Of every withdrawal from a pooled market."""
    used: list[int] = []
    engine = open_engine("py-evm")
    execute = engine.execute

    def counting(block):
        receipts = execute(block)
        used.extend(
            receipt.gas_used
            for sent, receipt in zip(block.transactions, receipts, strict=True)
            if sent.data[:4] == selector
        )
        return receipts

    try:
        stage = Stage(scenario, seed, engine)
        market = next(iter(stage.world.venues.values())).market
        selector = market.encode("withdraw", bytes(20), 0, bytes(20), bytes(20))[:4]
        engine.execute = counting
        stage.play(UNCUT)
    finally:
        engine.close()
    return used
