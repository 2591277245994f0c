"""Checks of the feeds' invariants while a scenario runs, after every block.

The answer of a pool's average is computed anew, from the reserves that the pool had at the end of
each block and the times of the observations: neither the pool's sums nor the feed's are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from harness.engine.base import Engine
from harness.feeds import capped_terms
from harness.scenario import (
    BoundedFeed,
    CappedFeed,
    MedianFeed,
    PoolTwapFeed,
    Scenario,
    StuckFeed,
    base_units,
)
from harness.scenario.sources import Source
from harness.testing.oracle_invariants import (
    wrong_average,
    wrong_bounded,
    wrong_capped,
    wrong_median,
    wrong_stuck,
)
from harness.view import View
from harness.world import World

_Q112 = 112

_IDENTIFIERS = (
    (PoolTwapFeed, "ORA-1"),
    (MedianFeed, "ORA-2"),
    (BoundedFeed, "ORA-3"),
    (CappedFeed, "ORA-4"),
    (StuckFeed, "ORA-5"),
)


class Finding(NamedTuple):
    """An invariant that a feed violates."""

    identifier: str
    problem: str


class _Average:
    """One pool's average, computed anew."""

    def __init__(self, engine: Engine, world: World, source: Source, spec: PoolTwapFeed) -> None:
        self._engine = engine
        self._source = source
        self._spec = spec
        self._feed = world.feeds[source.name]
        self._quote = source.reads[0]
        pool = world.pools[spec.pool]
        gained = source.decimals + world.decimals[pool.base]
        lost = world.sources[self._quote].decimals + world.decimals[pool.quote]
        self._up: int = 10 ** max(0, gained - lost)
        self._down: int = 10 ** max(0, lost - gained)
        #: price x seconds up to the last block, its time, and the price that stands since
        self._sum = 0
        self._time = 0
        self._price = 0
        #: observations as (time, price x seconds up to it), oldest first
        self._observed: list[tuple[int, int]] = []
        self._count = 0

    def block(self, view: View) -> str | None:
        """Takes in a block; what is wrong with the answer after it."""
        base, quote = view.reserves[self._spec.pool]
        price = (quote << _Q112) // base
        if not self._time:  # nobody has traded before the run: its price has stood since for ever
            self._price, self._time = price, view.timestamp
        self._sum += self._price * (view.timestamp - self._time)
        self._time = view.timestamp
        self._note_observations(view.timestamp)
        expected = self._expected(view)
        self._price = price
        return wrong_average(expected, view.feeds[self._source.name].answer)

    def _note_observations(self, now: int) -> None:
        count = self._feed.read(self._engine, "observationCount")
        ring = self._spec.granularity + 1
        for index in range(max(self._count, count - ring), count):
            time, _ = self._feed.read(self._engine, "observation", index)
            self._observed.append((time, self._sum - self._price * (now - time)))
        self._count = count
        del self._observed[:-ring]

    def _expected(self, view: View) -> int:
        """The answer; 0 where the feed has to refuse."""
        window = self._spec.window_s
        old = [entry for entry in self._observed if view.timestamp - entry[0] >= window]
        if not old or view.timestamp - old[-1][0] > 2 * window:
            return 0
        time, total = old[-1]
        quote = max(0, view.feeds[self._quote].answer)
        elapsed = (view.timestamp - time) * self._down << _Q112
        return (self._sum - total) * quote * self._up // elapsed


class OracleBooks:
    """Looks after every feed that is computed from others."""

    def __init__(self, engine: Engine, world: World, scenario: Scenario) -> None:
        self._world = world
        self._scenario = scenario
        kinds = [source.feed for source in world.sources.values()]
        self.identifiers = [
            identifier
            for kind, identifier in _IDENTIFIERS
            if any(isinstance(feed, kind) for feed in kinds)
        ]
        self._averages = [
            (source.name, _Average(engine, world, source, source.feed))
            for source in world.sources.values()
            if isinstance(source.feed, PoolTwapFeed)
        ]
        checks: dict[type, Callable[[View, Source], str | None]] = {
            MedianFeed: self._median,
            BoundedFeed: self._bounded,
            CappedFeed: self._capped,
            StuckFeed: self._stuck,
        }
        identifiers = dict(_IDENTIFIERS)
        self._checks = [
            (identifiers[type(source.feed)], source, checks[type(source.feed)])
            for source in world.sources.values()
            if type(source.feed) in checks
        ]

    def block(self, view: View) -> Iterator[Finding]:
        """What is wrong after a block."""
        for name, average in self._averages:
            problem = average.block(view)
            if problem:
                yield Finding("ORA-1", f"{name}: {problem}")
        for identifier, source, check in self._checks:
            if view.feeds[source.name].updated_at or isinstance(source.feed, MedianFeed):
                problem = check(view, source)
                if problem:
                    yield Finding(identifier, f"{source.name}: {problem}")

    def _answer(self, view: View, read: str, decimals: int) -> int:
        """A source's answer in other decimals, rounded down."""
        places = decimals - self._world.sources[read].decimals
        answer = view.feeds[read].answer
        scaled: int = answer * 10**places if places >= 0 else answer // 10**-places
        return scaled

    def _median(self, view: View, source: Source) -> str | None:
        spec = source.feed
        if not isinstance(spec, MedianFeed):
            return None
        oldest = view.timestamp - spec.source_max_age_s if spec.source_max_age_s else 1
        fresh = [
            self._answer(view, read, source.decimals)
            for read in source.reads
            if view.feeds[read].answer > 0 and view.feeds[read].updated_at >= oldest
        ]
        round_ = view.feeds[source.name]
        if round_.updated_at == 0:
            return f"{len(fresh)} are fresh and it refuses" if len(fresh) >= spec.quorum else None
        return wrong_median(round_.answer, fresh, quorum=spec.quorum)

    def _bounded(self, view: View, source: Source) -> str | None:
        spec = source.feed
        if not isinstance(spec, BoundedFeed):
            return None
        anchor = self._answer(view, source.reads[1], source.decimals)
        answer = view.feeds[source.name].answer
        return wrong_bounded(answer, anchor, max_deviation_bps=spec.max_deviation_bps)

    def _capped(self, view: View, source: Source) -> str | None:
        reference, since, growth = capped_terms(self._scenario, source, view.start_prices)
        return wrong_capped(
            view.feeds[source.name].answer,
            reference=reference,
            growth_ray=growth,
            seconds=view.timestamp - since,
        )

    def _stuck(self, view: View, source: Source) -> str | None:
        spec = source.feed
        if not isinstance(spec, StuckFeed):
            return None
        round_ = view.feeds[source.name]
        stale = spec.stale_from_s
        return wrong_stuck(
            round_.answer,
            round_.updated_at,
            minimum=base_units(spec.minimum_usd, source.decimals),
            stale_from=None if stale is None else self._scenario.clock.start + stale,
        )
