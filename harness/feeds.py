"""Deployment of a scenario's feeds, and of relays through which venues read those they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from harness.contracts import Contract
from harness.people import KEEPER
from harness.scenario import (
    PRICE_UNIT,
    BoundedFeed,
    CappedFeed,
    Lending,
    MedianFeed,
    PerpExchange,
    PoolSpotFeed,
    PoolTwapFeed,
    ProductFeed,
    PushFeed,
    Scenario,
    SharePriceFeed,
    StuckFeed,
    base_units,
    rate_ray,
)
from harness.scenario.sources import Source, feed_sources
from harness.setup import Setup

MAX_UINT = (1 << 256) - 1
YEAR = 365 * 24 * 3600


class FeedRig:
    """Deploys the feeds of a scenario: those that read a vault once it is there.

    Attributes:
        feeds: those deployed so far, by the names of their sources
        relays: for each venue that judges accounts by feeds, the relays to those that another one
            reads too, by their names; venues that share no feed read theirs directly

    """

    def __init__(
        self,
        setup: Setup,
        scenario: Scenario,
        tokens: Mapping[str, Contract],
        start_prices: Mapping[str, int],
    ) -> None:
        self._setup = setup
        self._scenario = scenario
        self._tokens = tokens
        self._start_prices = start_prices
        self._left = list(feed_sources(scenario))
        self._placed: list[Source] = []
        self._pools: dict[str, Contract] = {}
        self._vaults: dict[str, Contract] = {}
        self._readers = _readers(scenario)
        self.feeds: dict[str, Contract] = {}
        self.relays: dict[str, dict[str, Contract]] = {name: {} for name in self._readers}

    def deploy(self, pools: Mapping[str, Contract], vaults: Mapping[str, Contract]) -> None:
        """Deploys every feed whose sources, pools and vaults are there, each after those it reads.

        pools: those that have been added, by name
        vaults: those that have been added, by the symbols of their shares
        """
        self._pools.update(pools)
        self._vaults.update(vaults)
        placed = []
        for source in self._left:
            if self._waits(source) or any(name not in self.feeds for name in source.reads):
                continue
            kind, args = self._terms(source)
            self.feeds[source.name] = self._setup.deploy(kind, *args)
            placed.append(source)
            if isinstance(source.feed, PushFeed):
                self._transmit(source)
        self._left = [source for source in self._left if source not in placed]
        self._placed += placed
        if any(isinstance(source.feed, PoolTwapFeed) for source in placed):
            averages = [
                (source.feed, self.feeds[source.name])
                for source in self._placed
                if isinstance(source.feed, PoolTwapFeed)
            ]
            _fill_averages(self._setup, averages)
            for source in self._placed:
                if isinstance(source.feed, PushFeed):
                    self._transmit(source)  # the first report is a window old by now
        self._relay({source.name for source in placed})

    def read_by(self, venue: str) -> dict[str, Contract]:
        """What a venue reads for each feed: the feed, or its own relay."""
        return {**self.feeds, **self.relays[venue]}

    def _waits(self, source: Source) -> bool:
        """Whether the vault or the pool that a feed reads is not there yet."""
        feed = source.feed
        if isinstance(feed, SharePriceFeed):
            return source.symbol not in self._vaults
        return isinstance(feed, PoolSpotFeed | PoolTwapFeed) and feed.pool not in self._pools

    def _transmit(self, source: Source) -> None:
        answer = feed_answer(self._start_prices[source.symbol], source.decimals)
        self._setup.send(KEEPER, self.feeds[source.name], "transmit", answer)

    def _relay(self, placed: set[str]) -> None:
        counts = Counter(feed for names in self._readers.values() for feed in names)
        for venue, names in self._readers.items():
            for feed in names:
                if counts[feed] > 1 and feed in placed:
                    address = self.feeds[feed].address
                    relay = self._setup.deploy("RelayFeed", KEEPER, address)
                    self.relays[venue][feed] = relay

    def _terms(self, source: Source) -> tuple[str, tuple[Any, ...]]:
        """The contract of a feed and what it is constructed with."""
        spec, symbol = source.feed, source.symbol
        title = f"{symbol} / USD"
        if source.name != symbol:
            title += f" ({source.name.partition('.')[2]})"
        read = [self.feeds[name].address for name in source.reads]
        if isinstance(spec, PushFeed):
            return "PushFeed", (KEEPER, spec.decimals, title)
        if isinstance(spec, PoolSpotFeed):
            pool = self._pools[spec.pool].address
            token = self._tokens[symbol].address
            title = f"{symbol} / USD (pool)"
            return "PoolSpotFeed", (pool, token, read[0], spec.decimals, title)
        if isinstance(spec, PoolTwapFeed):
            pool, token = self._pools[spec.pool].address, self._tokens[symbol].address
            window = (spec.window_s, spec.granularity, spec.decimals)
            return "PoolTwapFeed", (pool, token, read[0], *window, title)
        if isinstance(spec, SharePriceFeed):
            return "SharePriceFeed", (self._vaults[symbol].address, spec.decimals, title)
        if isinstance(spec, MedianFeed):
            return "MedianFeed", (read, spec.source_max_age_s, spec.quorum, spec.decimals, title)
        if isinstance(spec, BoundedFeed):
            return "BoundedFeed", (read[0], read[1], spec.max_deviation_bps, spec.clamps, title)
        if isinstance(spec, StuckFeed):
            stale = spec.stale_from_s
            until = MAX_UINT if stale is None else self._scenario.clock.start + stale
            minimum = base_units(spec.minimum_usd, source.decimals)
            return "StuckFeed", (read[0], minimum, until, title)
        if isinstance(spec, CappedFeed):
            terms = capped_terms(self._scenario, source, self._start_prices)
            return "CappedGrowthFeed", (read[0], *terms, title)
        if isinstance(spec, ProductFeed):
            return "ProductFeed", (read[0], read[1], spec.decimals, title)
        raise TypeError(f"{source.name} has no contract")  # validation refuses such a scenario


def _readers(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """The feeds that each lending venue and exchange reads."""
    read = {
        spec.name: tuple(listing.feed_name for listing in spec.assets)
        for spec in scenario.venues_of(Lending)
    }
    return read | {spec.name: spec.symbols for spec in scenario.venues_of(PerpExchange)}


def _fill_averages(setup: Setup, averages: Sequence[tuple[PoolTwapFeed, Contract]]) -> None:
    """Lets the longest window pass, with an observation at each spacing of all, which end together:
    what is over two windows old is refused."""
    longest = max(spec.granularity * spec.spacing_s for spec, _ in averages)
    due = sorted(
        (longest - number * spec.spacing_s, place)
        for place, (spec, _) in enumerate(averages)
        for number in range(spec.granularity + 1)
    )
    passed = 0
    for at, place in due:
        if at > passed:
            setup.wait(at - passed)
            passed = at
        setup.send(KEEPER, averages[place][1], "poke")


def capped_terms(
    scenario: Scenario, source: Source, start_prices: Mapping[str, int]
) -> tuple[int, int, int]:
    """A capped feed's reference in its decimals, the reference's time, its growth a second
    (RAY)."""
    spec = source.feed
    if not isinstance(spec, CappedFeed):
        raise TypeError(f"{source.name} is not capped")
    if spec.reference_usd is None:
        reference = feed_answer(start_prices[source.symbol], source.decimals)
    else:
        reference = base_units(spec.reference_usd, source.decimals)
    growth = rate_ray(spec.growth_per_year) // YEAR
    return reference, scenario.clock.start - spec.reference_age_s, growth


def feed_answer(price: int, feed_decimals: int) -> int:
    """A feed's answer for an 8-decimal price, rounded down where the feed is coarser."""
    answer: int = price * 10**feed_decimals // PRICE_UNIT
    return answer
