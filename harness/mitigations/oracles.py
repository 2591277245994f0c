"""Remedies in what prices a market reads, and how fresh they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from harness.errors import ScenarioError
from harness.mitigations.base import Remedy, Stage
from harness.prices import build_paths
from harness.scenario import (
    PRICE_UNIT,
    Asset,
    BoundedFeed,
    CheckedFeed,
    DerivedFeed,
    Feed,
    MedianFeed,
    Pool,
    PooledLending,
    PoolSpotFeed,
    PoolTwapFeed,
    PushFeed,
    Scenario,
    StuckFeed,
    Venue,
)
from harness.scenario.sources import feed_sources, own, reached, sources_read

#: Seconds over which a pool's price is averaged, and how far a bounded feed may be from it.
WINDOW_S = 1800
MAX_DEVIATION_BPS = 1000

#: Sources that a median has from an asset's pool.
_MEDIAN = ("median-average", "median-spot")

#: A checked feed is refused at a hundredth and at a hundredfold of its start price.
BOUND = 100


def fresh_oracle(scenario: Scenario) -> Scenario:
    """Reports enter the next block, and every tenth of a percent is reported: those that are a feed
    and those that feeds are made of."""

    def fresh(feed: Feed) -> Feed:
        if isinstance(feed, PushFeed):
            return replace(feed, latency_blocks=0, latency_steps=(), deviation_bps=10)
        return feed

    def refreshed(asset: Asset) -> Asset:
        if asset.feed is None:
            return asset
        feed = fresh(asset.feed)
        if isinstance(feed, DerivedFeed):
            feed = replace(feed, within=tuple((name, fresh(part)) for name, part in feed.within))
        return replace(asset, feed=feed)

    return replace(scenario, assets=tuple(refreshed(asset) for asset in scenario.assets))


def _with_feeds(scenario: Scenario, change: Callable[[Asset, str], Feed | None]) -> Scenario:
    """A scenario whose assets have other feeds where they have a pool: ``change`` is given the
    asset and the pool's name. A pool whose quote asset is priced by the asset is left aside."""
    for place, asset in enumerate(scenario.assets):
        if not isinstance(asset.feed, CheckedFeed):
            continue
        for pool in scenario.venues_of(Pool):
            feed = change(asset, pool.name) if pool.base == asset.symbol else None
            if feed is None:
                continue
            assets = list(scenario.assets)
            assets[place] = replace(asset, feed=feed)
            changed = replace(scenario, assets=tuple(assets))
            try:
                feed_sources(changed)
            except ScenarioError:
                continue
            scenario = changed
            break
    return scenario


def _average(scenario: Scenario, pool: str) -> PoolTwapFeed:
    return PoolTwapFeed(pool, window_s=max(WINDOW_S, scenario.clock.seconds_per_block))


def _bare(feed: CheckedFeed) -> CheckedFeed:
    """A feed as a source: without checks, and without sources, which go where it is named. A median
    of all it brings along names them: it brings none any more."""
    plain = PushFeed()
    unchecked = replace(
        feed,
        max_age_s=plain.max_age_s,
        min_answer_usd=plain.min_answer_usd,
        max_answer_usd=plain.max_answer_usd,
    )
    if isinstance(unchecked, MedianFeed):
        return replace(unchecked, sources=unchecked.read, within=())
    return replace(unchecked, within=()) if isinstance(unchecked, DerivedFeed) else unchecked


def _named(feed: CheckedFeed, **sources: Feed) -> tuple[tuple[str, Feed], ...]:
    """Sources by name, with those that the feed itself brings along."""
    return tuple(sorted([*own(feed), *sources.items()]))


def _as_checked(feed: CheckedFeed, old: CheckedFeed) -> CheckedFeed:
    """A feed with what a market checks of another."""
    return replace(
        feed,
        max_age_s=old.max_age_s,
        min_answer_usd=old.min_answer_usd,
        max_answer_usd=old.max_answer_usd,
    )


def _with_sources(
    scenario: Scenario,
    suffix: str,
    change: Callable[[str, CheckedFeed, Mapping[str, Feed]], Feed | None],
) -> Scenario:
    """A scenario whose markets read a source made of the one they read in a feed's place, named
    ``SOURCE-suffix``: ``change`` is given that one's name, itself and all sources of the asset."""
    replaced: dict[tuple[str, str], str] = {}
    assets = []
    for asset in scenario.assets:
        within = dict(own(asset.feed))
        for name in sorted(sources_read(scenario, asset.symbol)):
            old = within[name]
            if isinstance(old, CheckedFeed) and not name.endswith(f"-{suffix}"):
                made = change(name, old, within)
                if isinstance(made, CheckedFeed):
                    within[f"{name}-{suffix}"] = _as_checked(made, old)
                    within[name] = _bare(old)
                    replaced[asset.symbol, name] = f"{name}-{suffix}"
        feed = asset.feed
        if isinstance(feed, DerivedFeed):
            feed = replace(feed, within=tuple(sorted(within.items())))
        assets.append(replace(asset, feed=feed))

    def reading(market: Venue) -> Venue:
        if not isinstance(market, PooledLending):
            return market
        listed = (
            replace(each, source=replaced.get((each.symbol, each.source), each.source))
            for each in market.assets
        )
        return replace(market, assets=tuple(listed))

    venues = tuple(reading(venue) for venue in scenario.venues)
    return replace(scenario, assets=tuple(assets), venues=venues) if replaced else scenario


def averaged_oracle(scenario: Scenario) -> Scenario:
    """Every asset with a pool is priced by the pool's average over half an hour, but for those of
    whose feed a market reads a source: an average has none."""
    by_source = {
        listed.symbol
        for market in scenario.venues_of(PooledLending)
        for listed in market.assets
        if listed.source
    }

    def averaged(asset: Asset, pool: str) -> Feed | None:
        feed = asset.feed
        if not isinstance(feed, CheckedFeed) or asset.symbol in by_source:
            return None
        return _as_checked(_average(scenario, pool), feed)

    return _with_feeds(scenario, averaged)


def median_oracle(scenario: Scenario) -> Scenario:
    """Every asset with a pool is priced by the middle of its feed, the pool's spot and its average
    over half an hour: what one of them says alone counts for nothing. A feed that is the spot
    itself is taken half way to the average. What a market reads in a feed's place is treated as a
    feed."""

    def median(asset: Asset, pool: str) -> Feed | None:
        feed = asset.feed
        if not isinstance(feed, CheckedFeed) or "median-feed" in dict(own(feed)):
            return None
        sources: dict[str, Feed] = {
            "median-feed": _bare(feed),
            "median-average": _average(scenario, pool),
        }
        if not isinstance(feed, PoolSpotFeed):
            sources["median-spot"] = PoolSpotFeed(pool)
        middle = MedianFeed(sources=tuple(sources), quorum=2, within=_named(feed, **sources))
        return _as_checked(middle, feed)

    def of_source(name: str, source: CheckedFeed, pools: Mapping[str, Feed]) -> Feed | None:
        others = ["median-average"] if isinstance(source, PoolSpotFeed) else list(_MEDIAN)
        return MedianFeed((name, *others), 2) if pools.keys() >= set(_MEDIAN) else None

    return _with_sources(_with_feeds(scenario, median), "median", of_source)


def bounded_oracle(scenario: Scenario) -> Scenario:
    """Every asset with a pool is priced by its feed, but within 10% of the pool's average over
    half an hour: beyond, at the bound. What a market reads in a feed's place is treated as a
    feed."""

    def held(asset: Asset, pool: str) -> Feed | None:
        feed = asset.feed
        if not isinstance(feed, CheckedFeed) or "bounded-feed" in dict(own(feed)):
            return None
        sources: dict[str, Feed] = {
            "bounded-feed": _bare(feed),
            "bounded-anchor": _average(scenario, pool),
        }
        bounded = BoundedFeed(
            "bounded-feed", "bounded-anchor", MAX_DEVIATION_BPS, within=_named(feed, **sources)
        )
        return _as_checked(bounded, feed)

    def of_source(name: str, _source: CheckedFeed, pools: Mapping[str, Feed]) -> Feed | None:
        anchored = "bounded-anchor" in pools
        return BoundedFeed(name, "bounded-anchor", MAX_DEVIATION_BPS) if anchored else None

    return _with_sources(_with_feeds(scenario, held), "bounded", of_source)


def checked_oracle(scenario: Scenario) -> Scenario:
    """Markets refuse answers older than two heartbeats, at a feed's own minimum, or a hundred times
    away from the start price, of the feed they read: an asset's, or a source within it. Checks that
    are stricter stay."""
    start = {symbol: Decimal(int(path[0])) for symbol, path in build_paths(scenario, 0).items()}

    def checks(asset: Asset) -> Asset:
        if asset.feed is None:
            return asset
        within = dict(own(asset.feed))
        price = start[asset.symbol] / PRICE_UNIT
        feed = _with_checks(asset.feed, within, price)
        if isinstance(feed, DerivedFeed):
            read = sources_read(scenario, asset.symbol)
            named = [
                (name, _with_checks(source, within, price) if name in read else source)
                for name, source in feed.within
            ]
            feed = replace(feed, within=tuple(named))
        return replace(asset, feed=feed)

    return replace(scenario, assets=tuple(checks(asset) for asset in scenario.assets))


def _with_checks(feed: Feed, within: Mapping[str, Feed], start: Decimal) -> Feed:
    """A feed that a market reads with the checks of `checked_oracle`, from what it is made of."""
    if not isinstance(feed, CheckedFeed):
        return feed
    parts = reached(feed, within)
    ages = [2 * part.heartbeat_s for part in parts if isinstance(part, PushFeed)]
    ages += [feed.max_age_s] if feed.max_age_s else []
    least = [part.minimum_usd for part in parts if isinstance(part, StuckFeed)]
    return replace(
        feed,
        max_age_s=min(ages, default=0),
        min_answer_usd=max(feed.min_answer_usd, float(start / BOUND), *least),
        max_answer_usd=min(feed.max_answer_usd, float(start * BOUND)),
    )


REMEDIES = (
    Remedy(
        "fresh-oracle",
        "reports without latency, at every 0.1% of deviation",
        Stage.ORACLE,
        fresh_oracle,
    ),
    Remedy(
        "averaged-oracle",
        "prices are half-hour averages of pools",
        Stage.ORACLE,
        averaged_oracle,
    ),
    Remedy(
        "median-oracle",
        "prices are the middle of feed, pool spot and pool average",
        Stage.ORACLE,
        median_oracle,
    ),
    Remedy(
        "bounded-oracle",
        "prices stay within 10% of half-hour averages of pools",
        Stage.ORACLE,
        bounded_oracle,
    ),
    Remedy(
        "checked-oracle",
        "stale answers, and those at a bound, are refused",
        Stage.ORACLE,
        checked_oracle,
    ),
)
