"""What a scenario deploys, to be used by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from harness.contracts import Contract
from harness.engine.base import Block, Engine, Receipt, Transaction, anchor
from harness.errors import Reverted
from harness.run import set_up
from harness.scenario import Scenario
from harness.setup import require_success

__all__ = ["ScenarioWorld"]


class ScenarioWorld:
    """The contracts and positions of a scenario on a chain, before its first block.

    Args:
        engine: a fresh engine, which the caller closes.
        scenario: what to deploy.
        seed: with the scenario, fixes prices and positions.

    Attributes:
        world: handles of everything, as a run has them.
        tokens, feeds, pools, venues: of the world, by symbol or name.
        paths: outside prices (8 decimals) without feedback, one for each block, by symbol.
        number, now: of the last block; epoch seconds.

    """

    def __init__(self, engine: Engine, scenario: Scenario, seed: int) -> None:
        self.engine = engine
        self.scenario = scenario
        self.seed = seed
        self.paths: Mapping[str, Sequence[int]]
        self.paths, self.world = set_up(scenario, seed)
        blocks = self.world.setup.blocks(scenario.clock.start)
        for block in blocks:
            require_success(block, engine.execute(block))
        self.number, self.now = blocks[-1].number, blocks[-1].timestamp
        self.tokens, self.feeds = self.world.tokens, self.world.feeds
        self.pools, self.venues = self.world.pools, self.world.venues

    def send(
        self, sender: bytes, contract: Contract, function: str, *args: Any, after: int = 1
    ) -> Receipt:
        """Executes a call in a block ``after`` seconds later; Reverted if it fails."""
        (receipt,) = self.execute(contract.transaction(sender, function, *args), after=after)
        if not receipt.status:
            raise Reverted(receipt.output or b"")
        return receipt

    def execute(self, *transactions: Transaction, after: int = 1) -> list[Receipt]:
        """Executes the next block, ``after`` seconds later."""
        self.number, self.now = self.number + 1, self.now + after
        return self.engine.execute(Block(self.number, self.now, transactions))

    def read(self, contract: Contract, function: str, *args: Any) -> Any:
        """What a function returns at the last block; Reverted if it reverts."""
        return contract.read(self.engine, function, *args)

    @contextmanager
    def anchor(self) -> Iterator[ScenarioWorld]:
        """Undoes on exit whatever the body does on the chain."""
        kept = self.number, self.now
        with anchor(self.engine):
            yield self
        self.number, self.now = kept
