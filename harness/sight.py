"""What the feeds of a run had seen of its forced trades, and whose answer each of them gave.

A push feed's round has seen the trades before the report's observation; the spot of a pool and the
price of a share all of them; an average those of earlier blocks, since a trade in the block at hand
has stood for no time. A feed computed from others gives the answer of one or two of its sources, or
of none of them: of the middle ones of a median, of the primary or, beyond the bounds, the anchor of
a bounded feed, and of nobody where a minimum or a cap is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from harness.feeds import capped_terms
from harness.scenario import (
    BPS,
    RAY,
    BoundedFeed,
    CappedFeed,
    MedianFeed,
    PoolSpotFeed,
    PoolTwapFeed,
    ProductFeed,
    PushFeed,
    Scenario,
    SharePriceFeed,
    StuckFeed,
    base_units,
)
from harness.trace import Givers
from harness.view import FeedRound
from harness.world import World


class Sight:
    """Keeps book of a pass; ``givers`` and ``seen`` are as of the last `settle`."""

    def __init__(self, world: World, scenario: Scenario, start_prices: Mapping[str, int]) -> None:
        self._sources = world.sources
        #: the last forced trade; that of the block before the one at hand; those after each block
        self.last_trade = 0
        self._before = 0
        self._after = [0]
        self._reported = dict.fromkeys(world.sources, 0)
        #: stuck feeds by the push source whose reports they hear, with when they stop
        self._hearing: dict[str, list[tuple[str, float]]] = {}
        for name, source in world.sources.items():
            if isinstance(source.feed, StuckFeed):
                stale = source.feed.stale_from_s
                until = inf if stale is None else scenario.clock.start + stale
                self._hearing.setdefault(source.reads[0], []).append((name, until))
        self._caps = {
            name: capped_terms(scenario, source, start_prices)
            for name, source in world.sources.items()
            if isinstance(source.feed, CappedFeed)
        }
        self._leaves = {name: self._all_leaves(name) for name in world.sources}
        self._given = dict(self._leaves)

    def _all_leaves(self, name: str) -> tuple[str, ...]:
        source = self._sources[name]
        if isinstance(
            source.feed, PushFeed | PoolSpotFeed | PoolTwapFeed | SharePriceFeed | StuckFeed
        ):
            return (name,)
        leaves = [leaf for read in source.reads for leaf in self._all_leaves(read)]
        return tuple(dict.fromkeys(leaves))

    # --- as a block is recorded ---------------------------------------------------------

    def next_block(self) -> None:
        """The transactions of another block follow."""
        self._before = self.last_trade

    def transmitted(self, name: str, observed: int, timestamp: int) -> None:
        """A report entered the block at hand; it was made on the state after ``observed``."""
        self._reported[name] = self._after[observed]
        for stuck, until in self._hearing.get(name, ()):
            if timestamp < until:
                self._reported[stuck] = self._after[observed]

    def close_block(self) -> None:
        """The block's transactions have all been recorded."""
        self._after.append(self.last_trade)

    def settle(self, rounds: Mapping[str, FeedRound], timestamp: int) -> None:
        """Finds whose answers the feeds give, from their rounds after the block."""
        for name, leaves in self._leaves.items():
            if leaves != (name,) or isinstance(self._sources[name].feed, StuckFeed):
                self._given[name] = self._givers(name, rounds, timestamp)

    # --- what has been seen --------------------------------------------------------------

    def _seen(self, leaf: str) -> int:
        feed = self._sources[leaf].feed
        if isinstance(feed, PoolSpotFeed | SharePriceFeed):
            return self.last_trade
        return self._before if isinstance(feed, PoolTwapFeed) else self._reported[leaf]

    def seen(self, name: str) -> int:
        """The last forced trade that a feed shows now."""
        return max((self._seen(leaf) for leaf in self._given[name]), default=0)

    def givers(self, name: str) -> Givers:
        """The sources whose answers a feed gives, with what each shows now."""
        return tuple((leaf, self._seen(leaf)) for leaf in self._given[name])

    def candidates(self, name: str) -> Givers:
        """As `givers`, of all whose answer it may be: which, `chosen` says after the block."""
        return tuple((leaf, self._seen(leaf)) for leaf in self._leaves[name])

    def chosen(self, name: str, candidates: Givers) -> Givers:
        """Those of the candidates whose answers the feed gives after the block."""
        if len(self._leaves[name]) == 1 == len(self._given[name]):
            return candidates
        return tuple(entry for entry in candidates if entry[0] in self._given[name])

    # --- whose answer --------------------------------------------------------------------

    def _givers(
        self, name: str, rounds: Mapping[str, FeedRound], timestamp: int
    ) -> tuple[str, ...]:
        source = self._sources[name]
        feed, reads = source.feed, source.reads

        def of(*names: str) -> tuple[str, ...]:
            found = [leaf for each in names for leaf in self._givers(each, rounds, timestamp)]
            return tuple(dict.fromkeys(found))

        def answer(read: str) -> int:
            """In the feed's own decimals, rounded down."""
            given, places = rounds[read].answer, source.decimals - self._sources[read].decimals
            scaled: int = given * 10**places if places >= 0 else given // 10**-places
            return scaled

        if isinstance(feed, MedianFeed):
            oldest = timestamp - feed.source_max_age_s if feed.source_max_age_s else 1
            counted = [
                read
                for read in reads
                if rounds[read].answer > 0 and rounds[read].updated_at >= oldest
            ]
            counted.sort(key=answer)
            middle = counted[(len(counted) - 1) // 2 : len(counted) // 2 + 1]
            return of(*middle) if len(counted) >= feed.quorum else ()
        if isinstance(feed, BoundedFeed):
            given, held = answer(reads[0]), answer(reads[1])
            low = -(-held * (BPS - feed.max_deviation_bps) // BPS)
            high = held * (BPS + feed.max_deviation_bps) // BPS
            return of(reads[0] if low <= given <= high else reads[1])
        if isinstance(feed, CappedFeed):
            reference, since, growth = self._caps[name]
            cap = reference + reference * growth * (timestamp - since) // RAY
            return of(reads[0]) if rounds[reads[0]].answer <= cap else ()
        if isinstance(feed, StuckFeed):
            least = base_units(feed.minimum_usd, source.decimals)
            return (name,) if rounds[name].answer > least else ()
        if isinstance(feed, ProductFeed):
            return of(*reads)
        return (name,)
