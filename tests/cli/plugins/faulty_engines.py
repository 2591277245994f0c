"""Engines from outside, as ``--engine faulty_engines:NAME`` takes them."""

from __future__ import annotations

import time
from typing import Any

from harness.engine import Block, Receipt, default_engine
from harness.errors import EngineError

LAST_GOOD_BLOCK = 20


class Wrapped:
    """The default engine, with a hook before each block."""

    def __init__(self) -> None:
        self._engine = default_engine()
        self.name = "faulty"

    def before(self, block: Block) -> None:
        raise NotImplementedError

    def execute(self, block: Block) -> list[Receipt]:
        self.before(block)
        return self._engine.execute(block)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class Slow(Wrapped):
    """Gives the test time to interrupt."""

    def before(self, block: Block) -> None:
        time.sleep(0.05)


class Dying(Wrapped):
    """A node that dies in mid-run."""

    def before(self, block: Block) -> None:
        if block.number > LAST_GOOD_BLOCK:
            raise EngineError(f"no answer\nto block {block.number}")


class Raising(Wrapped):
    """Code from outside with a fault of its own."""

    def before(self, block: Block) -> None:
        if block.number > LAST_GOOD_BLOCK:
            raise LookupError("no such thing")


class FullDisk(Wrapped):
    """The disk fills up."""

    def before(self, block: Block) -> None:
        if block.number > LAST_GOOD_BLOCK:
            raise OSError(28, "No space left on device")


class Interrupted(Wrapped):
    """Ctrl-C in mid-run."""

    def before(self, block: Block) -> None:
        if block.number > LAST_GOOD_BLOCK:
            raise KeyboardInterrupt
