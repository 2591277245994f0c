"""What happens at the top of a block: outside prices are stated and feeds are reported.

These transactions come before the agents' and pay no fee; an agent sees them a block later.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.agents.base import Context, OutageClock
from harness.contracts import Contract
from harness.engine.base import Transaction
from harness.feeds import feed_answer
from harness.people import KEEPER, PUBLISHER
from harness.scenario import BPS, PoolTwapFeed, PushFeed
from harness.view import View


class TopTransaction(NamedTuple):
    """A transaction at the top of a block. ``observed``: the last block whose state it reports."""

    transaction: Transaction
    action: str
    agent: str
    key: str
    observed: int


class Publisher:
    """States the outside price of each asset whenever its path moves."""

    def __init__(self, externals: dict[str, Contract], paths: dict[str, list[int]]) -> None:
        self._externals = externals
        self._paths = paths

    def due(self, view: View) -> list[TopTransaction]:
        """The prices that change with the next block."""
        block = view.next_block
        due = []
        for symbol, contract in self._externals.items():
            price = self._paths[symbol][block]
            if price != self._paths[symbol][block - 1]:
                data = contract.encode("publish", price)
                sent = Transaction(PUBLISHER, contract.address, data)
                due.append(TopTransaction(sent, "publish", "publisher", symbol, view.index))
        return due


class Keeper:
    """Reports one asset's outside price to a feed: the asset's, or a source within it.

    It sends when its last report is ``heartbeat_s`` old or the price has moved from it by
    ``deviation_bps``, and what it saw enters the chain ``latency_blocks`` after the next block. A
    report takes the place of older ones that would arrive no earlier: a feed never goes back.
    """

    def __init__(self, context: Context, source: str, feed: Contract, spec: PushFeed) -> None:
        self._source = source
        self._symbol = context.world.sources[source].symbol
        self._feed = feed
        self._spec = spec
        self._name = f"keeper-{source}"
        self._outages = OutageClock(spec.outages, context, self._name)
        self._reported: tuple[int, int] | None = None
        self._on_the_way: dict[int, TopTransaction] = {}

    def due(self, view: View) -> list[TopTransaction]:
        """The report that enters the next block, if any."""
        if not self._outages.out(view):
            self._look(view)
        arrived = self._on_the_way.pop(view.next_block, None)
        return [] if arrived is None else [arrived]

    def _look(self, view: View) -> None:
        price = view.external[self._symbol]
        answer = feed_answer(price, self._spec.decimals)
        if self._reported is None:
            latest = view.feeds[self._source]
            self._reported = (latest.answer, latest.updated_at)
        last, sent_at = self._reported
        moved = abs(answer - last) * BPS
        aged = view.timestamp - sent_at >= self._spec.heartbeat_s
        if answer <= 0 or not (aged or (moved and moved >= self._spec.deviation_bps * last)):
            return
        self._reported = (answer, view.timestamp)
        arrival = view.next_block + self._spec.latency(view.seconds)
        data = self._feed.encode("transmit", answer)
        sent = Transaction(KEEPER, self._feed.address, data)
        self._on_the_way = {at: one for at, one in self._on_the_way.items() if at < arrival}
        self._on_the_way[arrival] = TopTransaction(
            sent, "transmit", self._name, self._source, view.index
        )


class Observer:
    """Has a pool's sum of price x seconds written down for an average, as often as it may be."""

    def __init__(self, context: Context, source: str, feed: Contract, spec: PoolTwapFeed) -> None:
        self._source = source
        self._feed = feed
        self._spec = spec
        self._clock = context.scenario.clock
        self._name = f"observer-{source}"
        self._outages = OutageClock(spec.outages, context, self._name)
        #: epoch seconds of the last observation, once it has been looked up
        self._last: int | None = None

    def due(self, view: View) -> list[TopTransaction]:
        """The observation that enters the next block, if one may."""
        if self._outages.out(view):
            return []
        if self._last is None:
            count = view.ask(self._feed, "observationCount")
            self._last = int(view.ask(self._feed, "observation", count - 1)[0])
        now = self._clock.time(view.next_block)
        if now < self._last + self._spec.spacing_s:
            return []
        self._last = now
        sent = Transaction(KEEPER, self._feed.address, self._feed.encode("poke"))
        return [TopTransaction(sent, "poke", self._name, self._source, view.index)]
