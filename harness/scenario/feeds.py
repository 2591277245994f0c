"""Where markets read prices: feeds, and feeds computed from feeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from harness.scenario._decode import Family, Key, Range, TableOf
from harness.scenario.blocks import Outages
from harness.scenario.units import BPS, PRICE_DECIMALS, Blocks, Name, PriceUsd, Rate, Seconds, Usd


class Feed(Family):
    """Where markets read an asset's price (``[asset.feed] kind = ...``)."""

    __slots__ = ()
    tag: ClassVar[str] = "kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFeed(Feed):
    """A feed with what the market that reads it checks: it refuses answers older than
    ``max_age_s`` (0: unchecked), and answers at or beyond the bounds. A source within a feed has
    such checks where a market reads it in the feed's place (`LendingAsset.source`)."""

    max_age_s: Seconds = 0
    min_answer_usd: Usd = 0.0
    max_answer_usd: Annotated[float, Range(0, 1e18, above=True)] = 1e9


@dataclass(frozen=True, slots=True)
class PushFeed(CheckedFeed):
    """A keeper reports the external price after a stated time or move.

    It reports when ``heartbeat_s`` has passed since the last report or the price has moved by
    ``deviation_bps`` from it, ``latency_blocks`` after it saw that.
    ``latency_steps`` [seconds, blocks] overrides the latency from those times on.
    """

    kind_name: ClassVar[str] = "push"
    heartbeat_s: Annotated[int, Range(1, 10**10)] = 3600
    deviation_bps: Annotated[int, Range(0, BPS)] = 50
    latency_blocks: Blocks = 0
    latency_steps: tuple[tuple[Seconds, Blocks], ...] = ()
    outages: Outages = Outages()
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS

    def latency(self, seconds: int) -> int:
        """Blocks between seeing and reporting, at a time of the run."""
        blocks = self.latency_blocks
        for since, step in self.latency_steps:
            if since > seconds:
                break
            blocks = step
        return blocks


@dataclass(frozen=True, slots=True)
class PoolSpotFeed(CheckedFeed):
    """The spot price of a pool times the feed of its quote asset."""

    kind_name: ClassVar[str] = "pool-spot"
    pool: Name
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS


@dataclass(frozen=True, slots=True)
class PoolTwapFeed(CheckedFeed):
    """A pool's price averaged over ``window_s`` seconds or a little more, times the feed of its
    quote asset.

    A keeper has the pool's sum of price x seconds written down ``granularity`` times a window, at
    the top of a block; it does nothing in its ``outages``, and an average that nobody has written
    down for two windows is refused.
    """

    kind_name: ClassVar[str] = "pool-twap"
    pool: Name
    window_s: Annotated[int, Range(1, 10**7)] = 1800
    granularity: Annotated[int, Range(1, 100)] = 6
    outages: Outages = Outages()
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS

    @property
    def spacing_s(self) -> int:
        """Seconds that must lie between two observations, rounded up as the contract does."""
        return -(-self.window_s // self.granularity)


Sources = Annotated[tuple[tuple[str, Feed], ...], TableOf(), Key("source")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFeed(CheckedFeed):
    """A feed computed from others, which it names: its own ``[asset.feed.source.NAME]``, each a
    feed with a kind, or another asset's symbol for that asset's feed."""

    within: Sources = ()


@dataclass(frozen=True, slots=True)
class MedianFeed(DerivedFeed):
    """The middle of the answers of its sources (by default all of its own).

    A source older than ``source_max_age_s`` (0: unchecked) does not count; below ``quorum``
    sources that count, the feed refuses.
    """

    kind_name: ClassVar[str] = "median"
    sources: tuple[Name, ...] = ()
    quorum: Annotated[int, Range(1, 100)] = 1
    source_max_age_s: Seconds = 0
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS

    @property
    def read(self) -> tuple[str, ...]:
        """The names of its sources."""
        return self.sources or tuple(name for name, _ in self.within)


@dataclass(frozen=True, slots=True)
class BoundedFeed(DerivedFeed):
    """``primary``, held within ``max_deviation_bps`` of ``anchor``: beyond, it answers with the
    bound, or refuses (``clamps = false``). Its time is that of the older of the two."""

    kind_name: ClassVar[str] = "bounded"
    primary: Name
    anchor: Name
    max_deviation_bps: Annotated[int, Range(0, BPS - 1)] = 500
    clamps: bool = True


@dataclass(frozen=True, slots=True)
class CappedFeed(DerivedFeed):
    """The source ``of``, at most a reference that grows in a straight line.

    ``reference_usd`` is by default the asset's start price, as of ``reference_age_s`` before the
    start of the run; ``growth_per_year`` is a share of it for each year of 365 days.
    """

    kind_name: ClassVar[str] = "capped-growth"
    of: Name
    growth_per_year: Rate
    reference_usd: PriceUsd | None = None
    reference_age_s: Annotated[int, Range(1, 10**9)] = 7 * 86_400


@dataclass(frozen=True, slots=True)
class StuckFeed(DerivedFeed):
    """The push source ``of``, which cannot go below ``minimum_usd`` and goes on being updated
    there; from ``stale_from_s`` seconds of the run on it hears of no more rounds (None: always)."""

    kind_name: ClassVar[str] = "stuck"
    of: Name
    minimum_usd: Usd = 0.0
    stale_from_s: Seconds | None = None


@dataclass(frozen=True, slots=True)
class ProductFeed(DerivedFeed):
    """One source's answer times another's: a rate and the price of what it is a rate of."""

    kind_name: ClassVar[str] = "product"
    first: Name
    second: Name
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS


@dataclass(frozen=True, slots=True)
class SharePriceFeed(CheckedFeed):
    """Assets for a whole share of the vault whose share the asset is: a rate, not USD. A `product`
    with the feed of the vault's asset makes a price of it, ``capped-growth`` bounds it."""

    kind_name: ClassVar[str] = "share-price"
    decimals: Annotated[int, Range(0, 18)] = 18
