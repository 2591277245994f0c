"""One engine for many runs: what the set-ups of two runs have in common is executed once.

`Layers` keeps the blocks that the last run executed before it took its first snapshot or made its
first read, which is a set-up, and snapshots in between. `Layers.fresh` gives an engine that stands
at block 0 as far as anyone can tell: blocks that are given to it again are answered with the
receipts of the time before, and it executes from the last snapshot before the first difference.
Contracts come first in a set-up, then a market's parameters, then accounts and their positions, so
that a run redoes only what it changes and what lies behind that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.engine.base import Block, Engine, EngineBase, Extendable, Receipt
from harness.errors import EngineError

__all__ = ["Layers"]

STEP = 8
"""Transactions before the first snapshot in a set-up's first block, on engines that can stop in its
middle. The distance grows to a quarter of what lies before, so that little is redone in vain."""

MOST_LAYERS = 128
"""Snapshots kept; a longer set-up is redone from the last of them."""


class _Layer(NamedTuple):
    """A snapshot: ``blocks`` whole ones and ``transactions`` of the next are executed."""

    blocks: int
    transactions: int
    token: int


class Layers:
    """An engine with the set-up that was last executed on it. It belongs to one thread.

    Only one of the engines it gives may be in use at a time; the next ends the one before.

    make: opens the engine to work on
    """

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._inner: Engine | None = None
        self._layers: list[_Layer] = []
        self._history: list[tuple[Block, list[Receipt]]] = []
        self._given: _Fresh | None = None
        #: blocks of the history that the engine stands behind; None: somewhere beyond them
        self._at: int | None = None
        #: transactions of set-ups that were executed, and that were there already
        self.executed = self.spared = 0

    def fresh(self) -> Engine:
        """An engine at block 0."""
        if self._given is not None:
            self._given.close()
        if self._inner is None:
            self._inner = self._make()
            self._history, self._layers, self._at = [], [], 0
            self._add_layer(0, 0)
        self._given = _Fresh(self, self._inner)
        return self._given

    def close(self) -> None:
        """Closes the engine; the next begins anew. For one that failed, too."""
        if self._inner is not None:
            self._inner.close()
        self._inner = self._given = None

    # --- for the engine that was given out ---------------------------------------------------

    def execute(self, place: int, block: Block) -> list[Receipt]:
        """The receipts of a set-up's block at this place (from 0), where they are not known."""
        known = self._history[place : place + 1]
        if known and known[0][0] == block:
            self.spared += len(block.transactions)
        else:
            self._stand(place, block)
        return list(self._history[place][1])

    def leave(self, blocks: int) -> None:
        """Ends a set-up of so many blocks: the engine stands behind them, and goes on by itself."""
        self._stand(blocks)
        self._at = None

    def _stand(self, blocks: int, block: Block | None = None) -> None:
        """Brings the engine to where so many blocks of the history are executed and no more; then
        executes one beyond them."""
        begun: list[Receipt] = []
        todo = [] if block is None else [block]
        if self._at != blocks:
            shared = 0
            if block is not None and blocks < len(self._history):
                shared = _shared(self._history[blocks][0], block)
            at = self._return_to(blocks, shared)
            if at.transactions:
                begun = self._history[at.blocks][1][: at.transactions]
            todo = [known for known, _ in self._history[at.blocks : blocks]] + todo
            del self._history[at.blocks :]
        for each in todo:
            self.spared += len(begun)
            self._history.append((each, self._execute(each, begun)))
            begun = []
        self._at = len(self._history)

    def _return_to(self, blocks: int, transactions: int) -> _Layer:
        """Reverts to the last layer that is no further than this; returns it, open again."""
        while True:
            last = self._layers.pop()
            self._engine.revert(last.token)
            if last[:2] <= (blocks, transactions):
                return self._add_layer(last.blocks, last.transactions)

    def _add_layer(self, blocks: int, transactions: int) -> _Layer:
        layer = _Layer(blocks, transactions, self._engine.snapshot())
        self._layers.append(layer)
        return layer

    def _execute(self, block: Block, begun: Sequence[Receipt]) -> list[Receipt]:
        """Executes a block whose first transactions are executed already, with layers between."""
        inner, transactions = self._engine, block.transactions
        receipts, place = list(begun), len(self._history)
        while True:
            room = len(self._layers) < MOST_LAYERS
            done, end = len(receipts), None
            if room and not place and isinstance(inner, Extendable):
                end = done + max(STEP, done // 4)
            part = transactions[done:end]
            if receipts and isinstance(inner, Extendable):
                receipts += inner.extend(part)
            else:
                receipts += inner.execute(block._replace(transactions=part))
            self.executed += len(part)
            whole = len(receipts) == len(transactions)
            if room:
                self._add_layer(place + whole, 0 if whole else len(receipts))
            if whole:
                return receipts

    @property
    def _engine(self) -> Engine:
        if self._inner is None:
            raise EngineError("the engine was closed by whoever lent it")
        return self._inner


def _shared(known: Block, block: Block) -> int:
    """How many transactions two blocks of one number and time begin with alike."""
    if known[:2] != block[:2]:
        return 0
    pairs = zip(known.transactions, block.transactions, strict=False)
    return next(
        (place for place, (one, other) in enumerate(pairs) if one != other),
        min(len(known.transactions), len(block.transactions)),
    )


class _Fresh(EngineBase[int]):
    """An engine at block 0 whose set-up may be there already."""

    def __init__(self, layers: Layers, inner: Engine) -> None:
        super().__init__()
        self.name = inner.name
        self._layers = layers
        self._inner = inner
        self._setting_up = True

    def execute(self, block: Block) -> list[Receipt]:
        """See `Engine.execute`."""
        self._admit(block)
        try:
            if self._setting_up:
                receipts = self._layers.execute(block.number - 1, block)
            else:
                receipts = self._inner.execute(block)
        except EngineError as error:
            self._layers.close()
            raise self._fail(block.number, 0, str(error)) from error
        self._number, self._timestamp = block.number, block.timestamp
        return receipts

    def call(self, to: bytes, data: bytes) -> bytes:
        """See `Engine.call`."""
        self._check_open()
        if self._setting_up:
            self._settle()
        return self._inner.call(to, data)

    def close(self) -> None:
        """See `Engine.close`. The engine below stays open."""
        while self._open and self._broken is None:  # those a run leaves open
            self.revert(self._open[-1][0])
        super().close()

    def _settle(self) -> None:
        self._layers.leave(self._number)
        self._setting_up = False

    def _mark(self) -> int:
        if self._setting_up:
            self._settle()
        return self._inner.snapshot()

    def _restore(self, mark: int) -> None:
        self._inner.revert(mark)
