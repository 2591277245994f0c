"""The parameters an audit may change, what each change does, and between which values.

What holders do when a parameter changes decides what a bound means. Assumed here:

- threshold: holders keep their health factor, and the LTV stays as far below the threshold
- LTV: holders keep the share they use of what they may borrow
- LLTV of an isolated market, which is both: they keep their health factor
- caps: the market is filled up to the cap, accounts grow or shrink alike
- anything else: nothing changes for holders

Who needs more shares of a vault than there are deposits more there, which stays idle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from harness.audit.lever import Lever
from harness.audit.perp_levers import perp_levers, scale_leverage
from harness.population import build_population
from harness.prices import build_paths
from harness.scenario import (
    BPS,
    Asset,
    Borrowers,
    IsolatedLending,
    Lending,
    LendingAsset,
    PerpExchange,
    PooledLending,
    Population,
    PositionRow,
    Positions,
    PushFeed,
    Scenario,
    Vault,
    Venue,
)
from harness.scenario.vaults import shares_held

__all__ = [
    "levers",
    "scale_health",
    "scale_population",
    "with_deposits",
    "with_listing",
    "with_lltv",
]

_MOST_LLTV = 9800
"""Bps: up to which an LLTV is examined."""


def levers(scenario: Scenario, seed: int) -> tuple[Lever, ...]:
    """The parameters of every lending market and exchange, and of the feeds of their collateral.

    seed: that of the positions against which caps are counted
    """
    found: list[Lever] = []
    for market in scenario.venues_of(PooledLending):
        use = _use(scenario, market, seed)
        prefix = f"venue.{market.name}"
        owed = {symbol for side, symbol in use if side == "borrowed"}
        held = {symbol for side, symbol in use if side == "supplied"}
        for listing in market.assets:
            at = f"{prefix}.asset.{listing.symbol}"
            if listing.symbol in held and listing.liquidation_threshold_bps:
                found += _collateral(market, listing, at)
                used = use["supplied", listing.symbol] + listing.supplied
                found.append(_cap(market, listing, "supply", used, at))
            if listing.symbol in owed:
                found.append(_cap(market, listing, "borrow", use["borrowed", listing.symbol], at))
        found.append(
            Lever(
                kind="close-factor",
                name="close factor",
                path=f"{prefix}.close_factor_bps",
                unit="bps",
                value=market.close_factor_bps,
                low=1000,
                high=BPS,
                even=True,
                change=partial(_with_close_factor, market.name),
            )
        )
    found += [
        _lltv(market)
        for market in scenario.venues_of(IsolatedLending)
        if ("borrowed", market.debt) in _use(scenario, market, seed)
    ]
    found += perp_levers(scenario, seed)
    found += _feeds(scenario)
    times = Counter(lever.name for lever in found)
    return tuple(_told_apart(lever) if times[lever.name] > 1 else lever for lever in found)


def _told_apart(lever: Lever) -> Lever:
    """With its venue in its name, where another venue has one of that name."""
    return replace(lever, name=f"{lever.name} in {lever.path.split('.')[1]}")


def _lltv(market: IsolatedLending) -> Lever:
    """The one parameter of an isolated market; its incentive follows from it."""

    def set_lltv(changed: Scenario, value: float) -> Scenario:
        made = with_lltv(changed, market.name, int(value))
        return _scale_tables(made, market.lltv_bps / value, market.name, market.collateral)

    return Lever(
        kind="lltv",
        name=f"LLTV of {market.name}",
        path=f"venue.{market.name}.lltv_bps",
        unit="bps",
        value=market.lltv_bps,
        low=min(market.lltv_bps, max(1000, market.lltv_bps - 3000)),
        high=max(_MOST_LLTV, market.lltv_bps),
        even=True,
        change=set_lltv,
    )


def _collateral(market: PooledLending, listing: LendingAsset, at: str) -> Iterator[Lever]:
    symbol, name = listing.symbol, market.name
    threshold, ltv = listing.liquidation_threshold_bps, listing.ltv_bps
    gap = threshold - ltv

    def set_ltv(changed: Scenario, value: float) -> Scenario:
        made = with_listing(changed, name, symbol, lambda a: replace(a, ltv_bps=int(value)))
        return scale_health(made, ltv / value, name, symbol)

    def set_threshold(changed: Scenario, value: float) -> Scenario:
        def moved(asset: LendingAsset) -> LendingAsset:
            new = int(value)
            return replace(asset, liquidation_threshold_bps=new, ltv_bps=max(0, new - gap))

        # positions by distribution are opened at their health factor; those of tables hold amounts
        return _scale_tables(
            with_listing(changed, name, symbol, moved), threshold / value, name, symbol
        )

    def set_bonus(changed: Scenario, value: float) -> Scenario:
        return with_listing(
            changed, name, symbol, lambda a: replace(a, liquidation_bonus_bps=int(value))
        )

    if ltv:
        yield Lever(
            "ltv",
            f"LTV of {symbol}",
            f"{at}.ltv_bps",
            "bps",
            ltv,
            min(ltv, max(1000, ltv - 3000)),
            threshold,
            True,
            set_ltv,
        )
    yield Lever(
        "threshold",
        f"liquidation threshold of {symbol}",
        f"{at}.liquidation_threshold_bps",
        "bps",
        threshold,
        min(threshold, max(1000, gap + 500, threshold - 3000)),
        9700,
        True,
        set_threshold,
    )
    if listing.liquidation_bonus_bps:
        yield Lever(
            "bonus",
            f"liquidation bonus of {symbol}",
            f"{at}.liquidation_bonus_bps",
            "bps",
            listing.liquidation_bonus_bps,
            50,
            max(2500, listing.liquidation_bonus_bps),
            False,
            set_bonus,
        )


def _cap(market: PooledLending, listing: LendingAsset, side: str, used: float, at: str) -> Lever:
    cap = listing.supply_cap if side == "supply" else listing.borrow_cap
    symbol, name = listing.symbol, market.name
    value = float(f"{used if cap is None else cap:.6g}")

    def change(changed: Scenario, new: float) -> Scenario:
        open_ = with_listing(
            changed,
            name,
            symbol,
            lambda a: (
                replace(a, supply_cap=None) if side == "supply" else replace(a, borrow_cap=None)
            ),
        )
        if side == "supply":
            open_ = with_listing(
                open_, name, symbol, lambda a: replace(a, supplied=a.supplied * new / used)
            )
        return scale_population(open_, new / used, name, symbol, borrowed=side == "borrow")

    return Lever(
        f"{side}-cap",
        f"{side} cap of {symbol}",
        f"{at}.{side}_cap",
        symbol,
        value,
        min(value, used) / 100,
        max(value, used) * 4,
        False,
        change,
    )


def _feeds(scenario: Scenario) -> Iterator[Lever]:
    listed = {
        listing.symbol
        for market in scenario.venues_of(Lending)
        for listing in market.assets
        if listing.liquidation_threshold_bps
    }
    listed |= {
        market.symbol for each in scenario.venues_of(PerpExchange) for market in each.markets
    }
    block = scenario.clock.seconds_per_block
    for asset in scenario.assets:
        feed = asset.feed
        if asset.symbol not in listed or not isinstance(feed, PushFeed):
            continue
        symbol = asset.symbol

        def heartbeat(changed: Scenario, value: float, symbol: str = symbol) -> Scenario:
            return with_feed(changed, symbol, lambda f: replace(f, heartbeat_s=int(value)))

        def deviation(changed: Scenario, value: float, symbol: str = symbol) -> Scenario:
            return with_feed(changed, symbol, lambda f: replace(f, deviation_bps=int(value)))

        yield Lever(
            "heartbeat",
            f"heartbeat of {symbol}",
            f"asset.{symbol}.feed.heartbeat_s",
            "s",
            feed.heartbeat_s,
            min(block, feed.heartbeat_s),
            max(86_400, feed.heartbeat_s),
            False,
            heartbeat,
        )
        yield Lever(
            "deviation",
            f"deviation of {symbol}",
            f"asset.{symbol}.feed.deviation_bps",
            "bps",
            feed.deviation_bps,
            5,
            max(2000, feed.deviation_bps),
            False,
            deviation,
        )


# --- changes ------------------------------------------------------------------------------------


def with_lltv(scenario: Scenario, name: str, lltv_bps: int) -> Scenario:
    """The scenario with an isolated market at an LLTV."""
    venues = tuple(
        replace(venue, lltv_bps=lltv_bps)
        if isinstance(venue, IsolatedLending) and venue.name == name
        else venue
        for venue in scenario.venues
    )
    return replace(scenario, venues=venues)


def _with_close_factor(name: str, scenario: Scenario, value: float) -> Scenario:
    return _with_market(scenario, name, lambda m: replace(m, close_factor_bps=int(value)))


def _with_market(
    scenario: Scenario, name: str, change: Callable[[PooledLending], PooledLending]
) -> Scenario:
    venues = tuple(
        change(venue) if isinstance(venue, PooledLending) and venue.name == name else venue
        for venue in scenario.venues
    )
    return replace(scenario, venues=venues)


def with_listing(
    scenario: Scenario, market: str, symbol: str, change: Callable[[LendingAsset], LendingAsset]
) -> Scenario:
    """The scenario with one listing of a market changed."""
    return _with_market(
        scenario,
        market,
        lambda venue: replace(
            venue,
            assets=tuple(change(a) if a.symbol == symbol else a for a in venue.assets),
        ),
    )


def with_feed(scenario: Scenario, symbol: str, change: Callable[[PushFeed], PushFeed]) -> Scenario:
    """The scenario with an asset's push feed changed; others are left alone."""

    def changed(asset: Asset) -> Asset:
        if asset.symbol != symbol or not isinstance(asset.feed, PushFeed):
            return asset
        return replace(asset, feed=change(asset.feed))

    return replace(scenario, assets=tuple(changed(asset) for asset in scenario.assets))


def scale_health(
    scenario: Scenario, factor: float, market: str | None = None, symbol: str | None = None
) -> Scenario:
    """Health factors of borrowers times a factor, their debts unchanged; traders' leverage over it.

    market, symbol: only accounts there, only those with this collateral
    """

    def changed(population: Population) -> Population:
        if market is not None and population.venue != market:
            return population
        if isinstance(population, Borrowers) and symbol in (None, population.collateral):
            scale = population.health.scale * factor
            return replace(population, health=replace(population.health, scale=scale))
        return population

    made = replace(scenario, populations=tuple(changed(p) for p in scenario.populations))
    if market is None:
        made = scale_leverage(made, 1 / factor)
    return _scale_tables(made, factor, market, symbol)


def _scale_tables(
    scenario: Scenario, factor: float, market: str | None, symbol: str | None
) -> Scenario:
    """Collateral of accounts given one by one, times a factor, where they owe something."""

    def row(position: PositionRow) -> PositionRow:
        if not position.borrowed:
            return position
        supplied = tuple(
            (held, amount * factor if symbol in (None, held) else amount)
            for held, amount in position.supplied
        )
        return replace(position, supplied=supplied)

    def changed(population: Population) -> Population:
        if not isinstance(population, Positions) or market not in (None, population.venue):
            return population
        # what a smaller collateral no longer carries is left out, and counted in a warning
        rows = tuple(row(position) for position in population.positions)
        return replace(population, positions=rows, unhealthy="drop")

    populations = tuple(changed(p) for p in scenario.populations)
    return with_deposits(replace(scenario, populations=populations))


def with_deposits(scenario: Scenario) -> Scenario:
    """Vaults with deposits for all shares that somebody has."""

    def funded(venue: Venue) -> Venue:
        if not isinstance(venue, Vault):
            return venue
        missing = shares_held(scenario, venue) - venue.deposits
        # the next whole token: sums of fractions must not come out a unit short
        return replace(venue, idle=venue.idle + int(missing) + 1) if missing > 0 else venue

    return replace(scenario, venues=tuple(funded(venue) for venue in scenario.venues))


def scale_population(
    scenario: Scenario, factor: float, market: str, symbol: str, *, borrowed: bool
) -> Scenario:
    """Accounts that hold (or owe) an asset, larger or smaller by a factor on both sides.

    What passive suppliers lend grows with the debts, so that utilisation does not rise.
    """
    owed: set[str] = set()

    def touches(position: PositionRow) -> bool:
        side = position.borrowed if borrowed else position.supplied
        return bool(position.borrowed) and any(s == symbol for s, _ in side)

    def row(position: PositionRow) -> PositionRow:
        if not touches(position):
            return position
        owed.update(s for s, _ in position.borrowed)
        return replace(
            position,
            supplied=tuple((s, a * factor) for s, a in position.supplied),
            borrowed=tuple((s, a * factor) for s, a in position.borrowed),
        )

    def changed(population: Population) -> Population:
        if population.venue != market:
            return population
        if isinstance(population, Borrowers):
            if symbol != (population.debt if borrowed else population.collateral):
                return population
            owed.add(population.debt)
            size = replace(
                population.size,
                total_debt_usd=population.size.total_debt_usd * factor,
                min_debt_usd=population.size.min_debt_usd * min(1.0, factor),
            )
            return replace(population, size=size)
        if isinstance(population, Positions):
            return replace(population, positions=tuple(row(p) for p in population.positions))
        return population

    made = replace(scenario, populations=tuple(changed(p) for p in scenario.populations))
    made = with_deposits(made)
    if factor > 1:
        for debt in sorted(owed):
            made = with_listing(
                made, market, debt, lambda a: replace(a, supplied=a.supplied * factor)
            )
    return made


def _use(scenario: Scenario, market: Lending, seed: int) -> dict[tuple[str, str], float]:
    """Tokens that accounts with debts hold and owe in a market at the start, by side and symbol."""
    start = {symbol: int(path[0]) for symbol, path in build_paths(scenario, seed).items()}
    use: dict[tuple[str, str], float] = {}
    for position in build_population(scenario, seed, start):
        if position.venue != market.name or not position.borrowed:
            continue
        for side, amounts in (("supplied", position.supplied), ("borrowed", position.borrowed)):
            for symbol, units in amounts:
                tokens = units / 10 ** scenario.asset(symbol).decimals
                use[side, symbol] = use.get((side, symbol), 0.0) + tokens
    return use
