"""Which feeds the feeds of a scenario read, and in which order they can be deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import ScenarioError
from harness.scenario.assets import Asset
from harness.scenario.feeds import (
    BoundedFeed,
    CappedFeed,
    DerivedFeed,
    Feed,
    MedianFeed,
    PoolSpotFeed,
    PoolTwapFeed,
    ProductFeed,
    PushFeed,
    SharePriceFeed,
    StuckFeed,
)
from harness.scenario.model import Scenario
from harness.scenario.venues import Pool, PooledLending


@dataclass(frozen=True, slots=True)
class Source:
    """A feed to deploy.

    name: an asset's symbol for its feed, ``SYMBOL.NAME`` for one named within it
    symbol: the asset
    reads: names of the sources it reads, as its constructor takes them
    decimals: of its answers
    """

    name: str
    symbol: str
    feed: Feed
    reads: tuple[str, ...]
    decimals: int


def feed_sources(scenario: Scenario) -> tuple[Source, ...]:
    """Every feed of a scenario, each after those it reads; push feeds come first.

    Raises ScenarioError for a source that is not known, a feed that reads itself in the end, and
    one that cannot be used as what it is named as.
    """
    return _Resolver(scenario).ordered()


class _Resolver:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._assets = {asset.symbol: (i, asset) for i, asset in enumerate(scenario.assets)}
        self._found: dict[str, Source] = {}
        self._open: list[str] = []

    def ordered(self) -> tuple[Source, ...]:
        for asset in self._scenario.assets:
            if asset.feed is not None:
                for name, _ in own(asset.feed):
                    self._resolve(f"{asset.symbol}.{name}")
                self._resolve(asset.symbol)
        found = list(self._found.values())
        pushed = [source for source in found if isinstance(source.feed, PushFeed)]
        pushed.sort(key=lambda source: self._assets[source.symbol][0])
        return (*pushed, *(s for s in found if not isinstance(s.feed, PushFeed)))

    def _resolve(self, name: str) -> Source:
        if name in self._found:
            return self._found[name]
        symbol, _, inner = name.partition(".")
        index, asset = self._assets[symbol]
        path = f"asset[{index}].feed" + (f".source.{inner}" if inner else "")
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            raise ScenarioError(path, circle, "feeds that do not read themselves")
        feed = dict(own(asset.feed))[inner] if inner else asset.feed
        if not isinstance(
            feed, PushFeed | PoolSpotFeed | PoolTwapFeed | SharePriceFeed | DerivedFeed
        ):
            raise ScenarioError(path, type(feed).__name__, "a built-in feed")
        self._open.append(name)
        reads = tuple(self._named(asset, key, value, path) for key, value in _references(feed))
        if isinstance(feed, PoolSpotFeed | PoolTwapFeed):
            reads = (self._quote(asset, feed, path),)
        sources = [self._resolve(read) for read in reads]
        self._open.pop()
        if isinstance(feed, StuckFeed) and not isinstance(sources[0].feed, PushFeed):
            raise ScenarioError(f"{path}.of", feed.of, "a push source, whose rounds it follows")
        found = Source(name, symbol, feed, reads, _decimals(feed, sources))
        self._found[name] = found
        return found

    def _named(self, asset: Asset, key: str, value: str, path: str) -> str:
        """The source that a name within an asset's feed stands for."""
        names = [name for name, _ in own(asset.feed)]
        if value in names:
            return f"{asset.symbol}.{value}"
        others = [
            symbol
            for symbol, (_, other) in self._assets.items()
            if symbol != asset.symbol and other.feed is not None
        ]
        if value in others:
            return value
        allowed = f"a source of this feed or an asset with one: one of {', '.join(names + others)}"
        raise ScenarioError(f"{path}.{key}", value, allowed)

    def _quote(self, asset: Asset, feed: PoolSpotFeed | PoolTwapFeed, path: str) -> str:
        """The feed of the other asset of a pool."""
        pools = [pool.name for pool in self._scenario.venues_of(Pool) if pool.base == asset.symbol]
        if feed.pool not in pools:
            allowed = f"a pool whose base is {asset.symbol}: one of "
            allowed += ", ".join(pools) or "(there are none)"
            raise ScenarioError(f"{path}.pool", feed.pool, allowed)
        quote = self._scenario.venue_as(Pool, feed.pool).quote
        if quote not in self._assets or self._assets[quote][1].feed is None:
            allowed = f"a pool whose quote asset ({quote}) has a feed"
            raise ScenarioError(f"{path}.pool", feed.pool, allowed)
        return quote


def own(feed: Feed | None) -> tuple[tuple[str, Feed], ...]:
    """The sources that a feed brings along, by name."""
    return feed.within if isinstance(feed, DerivedFeed) else ()


def sources_read(scenario: Scenario, symbol: str) -> frozenset[str]:
    """Names of the sources of an asset's feed that some market reads in the feed's place."""
    return frozenset(
        listed.source
        for market in scenario.venues_of(PooledLending)
        for listed in market.assets
        if listed.symbol == symbol and listed.source
    )


def reached(feed: Feed, within: Mapping[str, Feed]) -> tuple[Feed, ...]:
    """A feed and whatever it reads, directly or not, of the sources named within an asset's."""
    found: list[Feed] = [feed]
    names: set[str] = set()
    for each in found:  # which grows
        read = {name for _, name in _references(each)} & within.keys()
        found += [within[name] for name in sorted(read - names)]
        names |= read
    return tuple(found)


def _references(feed: Feed) -> Sequence[tuple[str, str]]:
    """The names a feed reads, each with the field that has it."""
    if isinstance(feed, MedianFeed):
        return [(f"sources[{i}]", name) for i, name in enumerate(feed.read)]
    if isinstance(feed, BoundedFeed):
        return [("primary", feed.primary), ("anchor", feed.anchor)]
    if isinstance(feed, CappedFeed | StuckFeed):
        return [("of", feed.of)]
    if isinstance(feed, ProductFeed):
        return [("first", feed.first), ("second", feed.second)]
    return []


def _decimals(feed: Feed, sources: Sequence[Source]) -> int:
    """Of a feed's answers: its own, or those of the source whose answer it gives."""
    if isinstance(feed, BoundedFeed | CappedFeed | StuckFeed):
        return sources[0].decimals
    if isinstance(
        feed,
        PushFeed | PoolSpotFeed | PoolTwapFeed | SharePriceFeed | MedianFeed | ProductFeed,
    ):
        return feed.decimals
    raise TypeError(f"{type(feed).__name__} is no built-in feed")


def by_name(sources: Sequence[Source]) -> Mapping[str, Source]:
    """Sources by their names."""
    return {source.name: source for source in sources}


__all__ = ["Source", "by_name", "feed_sources", "own"]
