"""An engine kept for many runs: each finds it as if it were fresh, and set-ups are shared."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from harness.engine import Block, Engine, Receipt, Transaction, default_engine_name, open_engine
from harness.engine.layered import MOST_LAYERS, Layers
from harness.errors import EngineError
from harness.run import run
from harness.scenario import Scenario, load_scenario
from harness.testing.engine_conformance import (
    GOLDEN_DIGEST,
    EngineConformance,
    MakeEngine,
    golden_history,
)


@pytest.fixture(scope="module")
def layers() -> Iterator[Layers]:
    kept = Layers(lambda: open_engine(default_engine_name()))
    yield kept
    kept.close()


class TestFreshEngines(EngineConformance):
    """The kit, on engines that one engine lends, each after whatever the one before did."""

    @pytest.fixture
    def make_engine(self, layers: Layers) -> MakeEngine:
        return layers.fresh


CHANGES = (
    [],
    ["agent.keeper.latency_blocks=2"],
    ["asset.ETH.price.shock[0].factor=0.6"],
    ["venue.aave.close_factor_bps=9000"],
    ["venue.aave.asset.ETH.liquidation_bonus_bps=800"],
    ["population.borrowers.count=8"],
    ["asset.ETH.external.depth_2pct_usd=1e6"],
    ["clock.start=2020-03-02T00:00:00Z"],
    ["clock.blocks=6", "agent.keeper.count=3"],
)


def scenario(changes: list[str]) -> Scenario:
    return load_scenario(
        "calm",
        [
            "clock.blocks=9",
            "asset.ETH.price={process='constant', shock=[{at_s=60, factor=0.7}]}",
            "population.borrowers.health={excess_median=0.2, excess_sigma=0.6, min=1.05, max=3}",
            "population.borrowers.count=12",
            *changes,
        ],
    )


def test_runs_on_a_kept_engine_have_the_digests_of_fresh_ones() -> None:
    """Every change, each with two seeds, one after the other in a random order."""
    seed = 7
    print("seed", seed)
    order = [(number, runs) for number in range(len(CHANGES)) for runs in (0, 1)]
    random.Random(seed).shuffle(order)
    layers = Layers(lambda: open_engine(default_engine_name()))
    found = set()
    for number, runs in order:
        result = run(scenario(CHANGES[number]), runs, layers.fresh())
        alone = run(scenario(CHANGES[number]), runs)
        assert result.summary["digest"] == alone.summary["digest"], CHANGES[number]
        found.add(result.summary["digest"])
    assert len(found) == len(order)
    assert layers.spared > 0
    layers.close()


def executed(layers: Layers, changes: list[str], seed: int = 0) -> int:
    """How many transactions of its set-up a run executes."""
    before = layers.executed
    run(scenario(changes), seed, layers.fresh())
    return layers.executed - before


def test_only_what_changes_and_what_lies_behind_it_is_executed_again() -> None:
    layers = Layers(lambda: open_engine(default_engine_name()))
    everything = executed(layers, [])
    assert executed(layers, []) == 0
    assert executed(layers, ["agent.keeper.latency_blocks=2"]) == 0
    assert executed(layers, ["asset.ETH.price.shock[0].factor=0.6"]) == 0
    everything_else = executed(Layers(lambda: open_engine(default_engine_name())), [], seed=1)
    others = executed(layers, [], seed=1)
    assert 0 < others < everything_else, "another seed: the accounts again, not the code"
    assert everything > 0
    layers.close()


def test_the_code_alone_is_not_executed_again_for_another_market() -> None:
    layers = Layers(lambda: open_engine(default_engine_name()))
    everything = executed(layers, [])
    market = executed(layers, ["venue.aave.asset.ETH.liquidation_bonus_bps=800"])
    assert 0 < market < everything
    layers.close()


class Plain:
    """An engine that cannot stop in mid-block."""

    def __init__(self) -> None:
        self.name = "plain"
        self._inner = open_engine(default_engine_name())

    def execute(self, block: Block) -> list[Receipt]:
        return self._inner.execute(block)

    def call(self, to: bytes, data: bytes) -> bytes:
        return self._inner.call(to, data)

    def snapshot(self) -> int:
        return self._inner.snapshot()

    def revert(self, token: int) -> None:
        self._inner.revert(token)

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("make", [Plain, lambda: open_engine(default_engine_name())])
def test_a_set_up_of_many_blocks_is_kept_within_the_limit(make: MakeEngine) -> None:
    def play(engine: Engine, salt: int) -> list[list[Receipt]]:
        receipts = [engine.execute(golden(0))]
        receipts += [
            engine.execute(golden(number, salt if number > MOST_LAYERS else 0))
            for number in range(2, 2 * MOST_LAYERS)
        ]
        engine.snapshot()
        receipts.append(engine.execute(golden(2 * MOST_LAYERS)))
        return receipts

    layers = Layers(make)
    for salt in (1, 1, 2, 1):
        plain = make()
        assert play(layers.fresh(), salt) == play(plain, salt)
        plain.close()
    layers.close()


def golden(number: int, salt: int = 0) -> Block:
    """A block of transactions to an address without code, which succeed."""
    sent = Transaction(bytes([1] * 20), bytes([2] * 20), bytes([number % 256, salt]))
    return Block(max(1, number), 1000 + number, (sent,) * 3)


def test_an_engine_that_failed_is_replaced() -> None:
    layers = Layers(lambda: open_engine(default_engine_name()))
    engine = layers.fresh()
    assert golden_history(engine) == GOLDEN_DIGEST
    broken = layers.fresh()
    wrong = Transaction(bytes(20), bytes(20), "text")  # type: ignore[arg-type]
    with pytest.raises(EngineError):
        broken.execute(Block(1, 1000, (wrong,)))
    layers.close()
    assert golden_history(layers.fresh()) == GOLDEN_DIGEST
    layers.close()
