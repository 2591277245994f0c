"""What binds and what matters: constraints relaxed one by one, maps of health and depth, indices.

A constraint binds in so far as expected shortfall falls when it alone is relaxed. Global
sensitivity is Morris' elementary effects (Technometrics 33, 1991; mu* after Campolongo, Cariboni,
Saltelli 2007) by SALib, an extra: it moves all factors at once, over stated ranges.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.audit.draws import Draw
from harness.audit.levers import (
    scale_health,
    scale_population,
    with_deposits,
    with_feed,
    with_listing,
    with_lltv,
)
from harness.audit.perp_levers import scale_insurance, scale_traders
from harness.audit.trials import Evaluator
from harness.errors import ScenarioError
from harness.scenario import (
    BPS,
    Agent,
    Asset,
    IsolatedLending,
    Lending,
    Liquidator,
    Outages,
    PerpExchange,
    PerpLiquidator,
    Pool,
    PooledLending,
    PushFeed,
    Scenario,
    Venue,
    checked,
)

__all__ = [
    "Index",
    "Relaxation",
    "Sensitivity",
    "collaterals",
    "factors",
    "health_by_depth",
    "relaxations",
    "scale_depth",
    "sensitivity",
]

Step = Callable[[Scenario], Scenario]

_FAR = 10.0
"""How far a constraint is relaxed."""


@dataclass(frozen=True)
class Relaxation:
    """A constraint, what relaxing it means, and the expected shortfall / supply that is left."""

    constraint: str
    meaning: str
    share: float | None


@dataclass(frozen=True)
class Index:
    """Elementary effects of a factor on expected shortfall / supply, over the range stated.

    mu_star: mean of their absolute values; sigma: their standard deviation, large where effects
        interact or are not linear; confidence: half of mu_star's 95% interval
    """

    factor: str
    low: float
    high: float
    mu_star: float
    sigma: float | None
    confidence: float | None


@dataclass(frozen=True)
class Sensitivity:
    """Indices, the largest first, or why there are none."""

    indices: tuple[Index, ...]
    note: str


def collaterals(scenario: Scenario) -> tuple[str, ...]:
    """Symbols of assets that count as collateral in a market, or are traded on an exchange."""
    listed = [
        listing.symbol
        for market in scenario.venues_of(Lending)
        for listing in market.assets
        if listing.liquidation_threshold_bps
    ]
    traded = [m.symbol for each in scenario.venues_of(PerpExchange) for m in each.markets]
    return tuple(dict.fromkeys([*listed, *traded]))


def scale_depth(scenario: Scenario, factor: float) -> Scenario:
    """Outside depth of every collateral and reserves of every pool of one, times a factor; what
    a pool has more of a vault's shares is deposited, and idle there."""
    named = collaterals(scenario)

    def asset(each: Asset) -> Asset:
        if each.symbol not in named or each.external is None:
            return each
        depth = each.external.depth_2pct_usd * factor
        return replace(each, external=replace(each.external, depth_2pct_usd=depth))

    def venue(each: Venue) -> Venue:
        if not isinstance(each, Pool) or not {each.base, each.quote} & set(named):
            return each
        return replace(each, base_reserve=each.base_reserve * factor)

    return with_deposits(
        replace(
            scenario,
            assets=tuple(asset(each) for each in scenario.assets),
            venues=tuple(venue(each) for each in scenario.venues),
        )
    )


def _fresh(scenario: Scenario) -> Scenario:
    block = scenario.clock.seconds_per_block

    def fresh(feed: PushFeed) -> PushFeed:
        return replace(
            feed,
            deviation_bps=1,
            heartbeat_s=min(feed.heartbeat_s, block),
            latency_blocks=0,
            latency_steps=(),
            outages=Outages(),
        )

    for symbol in collaterals(scenario):
        scenario = with_feed(scenario, symbol, fresh)
    return scenario


def scale_liquidators(scenario: Scenario, factor: float) -> Scenario:
    """Liquidators' capital times a factor."""

    def agent(each: Agent) -> Agent:
        if not isinstance(each, Liquidator):
            return each
        capital = tuple((symbol, amount * factor) for symbol, amount in each.capital)
        return replace(each, capital=capital)

    return replace(scenario, agents=tuple(agent(each) for each in scenario.agents))


def _able(scenario: Scenario) -> Scenario:
    def agent(each: Agent) -> Agent:
        if not isinstance(each, Liquidator | PerpLiquidator):
            return each
        return replace(
            each,
            latency_blocks=0,
            outages=Outages(),
            max_transactions=min(10_000, int(each.max_transactions * _FAR)),
        )

    agents = tuple(agent(each) for each in scenario.agents)
    return scale_liquidators(replace(scenario, agents=agents), _FAR)


def _half_bonus(scenario: Scenario) -> Scenario:
    for market in scenario.venues_of(PooledLending):
        for listing in market.assets:
            scenario = with_listing(
                scenario,
                market.name,
                listing.symbol,
                lambda a: replace(a, liquidation_bonus_bps=a.liquidation_bonus_bps // 2),
            )

    def cheaper(venue: Venue) -> Venue:
        if not isinstance(venue, PerpExchange):
            return venue
        markets = tuple(
            replace(m, liquidation_fee_bps=m.liquidation_fee_bps // 2) for m in venue.markets
        )
        return replace(venue, markets=markets)

    return replace(scenario, venues=tuple(cheaper(venue) for venue in scenario.venues))


_CONSTRAINTS: tuple[tuple[str, str, Step], ...] = (
    ("depth", "ten times the depth, outside and in pools", lambda s: scale_depth(s, _FAR)),
    ("oracle", "a report in every block, without latency or outages", _fresh),
    (
        "liquidator capital",
        "ten times the capital and transactions, no latency, no outages",
        _able,
    ),
    ("toxic bound", "half the bonus or fee, so that liquidation takes less", _half_bonus),
)


def _all(scenario: Scenario) -> Scenario:
    for _, _, relax in _CONSTRAINTS:
        scenario = relax(scenario)
    return scenario


def relaxations(
    scenario: Scenario, chosen: Sequence[Draw], evaluator: Evaluator
) -> tuple[Relaxation, ...]:
    """Expected shortfall as it is, with each constraint relaxed, and with all of them."""
    steps: tuple[tuple[str, str, Step], ...] = (
        ("none", "as it is", lambda s: s),
        *_CONSTRAINTS,
        ("all", "all four at once: what leverage and the crisis alone leave", _all),
    )
    found = evaluator.evaluate([(checked(relax(scenario)), chosen) for _, _, relax in steps])
    return tuple(
        Relaxation(name, meaning, None if each.figures is None else each.share)
        for (name, meaning, _), each in zip(steps, found, strict=True)
    )


def health_by_depth(
    scenario: Scenario, chosen: Sequence[Draw], evaluator: Evaluator
) -> tuple[tuple[float | None, ...], ...]:
    """Expected shortfall / supply for every health factor (rows) and depth (columns)."""
    wanted = scenario.audit
    cells: list[tuple[Scenario, Sequence[Draw]]] = [
        (checked(scale_depth(scale_health(scenario, health), depth)), chosen)
        for health in wanted.health
        for depth in wanted.depth
    ]
    found = [each.share if each.figures else None for each in evaluator.evaluate(cells)]
    width = len(wanted.depth)
    return tuple(tuple(found[at : at + width]) for at in range(0, len(found), width))


@dataclass(frozen=True)
class Factor:
    """What the sensitivity analysis moves, between two values, and how."""

    name: str
    low: float
    high: float
    change: Callable[[Scenario, float], Scenario]


def factors(scenario: Scenario) -> tuple[Factor, ...]:
    """Parameters within reach of a decision and the market around them, as factors on what is
    in force, but for thresholds, which move by points."""
    found = [
        Factor("health factors", 0.9, 1.1, lambda s, x: scale_health(s, x)),
        Factor("depth", 0.5, 2.0, scale_depth),
    ]
    if scenario.agents_of(Liquidator):
        found.append(Factor("liquidator capital", 0.5, 2.0, scale_liquidators))
    exchanges = scenario.venues_of(PerpExchange)
    for exchange in exchanges:
        where = f" on {exchange.name}" if len(exchanges) > 1 else ""
        for traded in exchange.markets:

            def interest(
                s: Scenario, x: float, name: str = exchange.name, symbol: str = traded.symbol
            ) -> Scenario:
                return scale_traders(s, x, name, symbol)

            found.append(Factor(f"open interest of {traded.symbol}{where}", 0.5, 2.0, interest))
    if any(exchange.insurance for exchange in exchanges):
        found.append(Factor("insurance fund", 0.5, 2.0, scale_insurance))
    for isolated in scenario.venues_of(IsolatedLending):
        lltv = isolated.lltv_bps

        def moved(s: Scenario, x: float, name: str = isolated.name, lltv: int = lltv) -> Scenario:
            return with_lltv(s, name, lltv + round(x))

        span = min(500.0, BPS - 1.0 - lltv, lltv - 1.0)
        found.append(Factor(f"LLTV of {isolated.name}, bps", -span, span, moved))
    pooled = scenario.venues_of(PooledLending)
    for market in pooled:
        name, where = market.name, f" in {market.name}" if len(pooled) > 1 else ""
        for listing in market.assets:
            symbol, threshold = listing.symbol, listing.liquidation_threshold_bps
            if not threshold:
                continue
            reach = min(500, 9700 - threshold, listing.ltv_bps)

            def points(s: Scenario, x: float, name: str = name, symbol: str = symbol) -> Scenario:
                return with_listing(
                    s,
                    name,
                    symbol,
                    lambda a: replace(
                        a,
                        liquidation_threshold_bps=a.liquidation_threshold_bps + round(x),
                        ltv_bps=a.ltv_bps + round(x),
                    ),
                )

            def bonus(s: Scenario, x: float, name: str = name, symbol: str = symbol) -> Scenario:
                return with_listing(
                    s,
                    name,
                    symbol,
                    lambda a: replace(a, liquidation_bonus_bps=round(a.liquidation_bonus_bps * x)),
                )

            def size(s: Scenario, x: float, name: str = name, symbol: str = symbol) -> Scenario:
                return scale_population(s, x, name, symbol, borrowed=False)

            if reach > 0:
                label = f"threshold of {symbol}{where}, bps"
                found.append(Factor(label, -float(reach), float(reach), points))
            if listing.liquidation_bonus_bps:
                found.append(Factor(f"bonus of {symbol}{where}", 0.5, 2.0, bonus))
            found.append(Factor(f"debts against {symbol}{where}", 0.5, 2.0, size))
    return tuple(found)


def sensitivity(
    scenario: Scenario, chosen: Sequence[Draw], evaluator: Evaluator, seed: int
) -> Sensitivity:
    """Morris' elementary effects, the largest first."""
    trajectories = scenario.audit.trajectories
    if not trajectories:
        return Sensitivity((), "not computed: audit.trajectories is 0")
    if importlib.util.find_spec("SALib") is None:
        extra = "pip install 'liquidation-harness[audit]'"
        return Sensitivity((), f"not computed: SALib is not installed ({extra})")
    from SALib.analyze import morris as analysis
    from SALib.sample import morris as sampling

    moved = factors(scenario)
    problem: dict[str, Any] = {
        "num_vars": len(moved),
        "names": [factor.name for factor in moved],
        "bounds": [[factor.low, factor.high] for factor in moved],
    }
    design = sampling.sample(problem, trajectories, num_levels=4, seed=seed % 2**32)
    candidates: list[tuple[Scenario, Sequence[Draw]]] = []
    for row in design:
        changed = scenario
        for factor, value in zip(moved, row, strict=True):
            changed = factor.change(changed, float(value))
        try:
            candidates.append((checked(changed), chosen))
        except ScenarioError as error:
            return Sensitivity((), f"not computed: {error}")
    found = evaluator.evaluate(candidates)
    failed = [failure for each in found for failure in each.failures]
    if failed:
        return Sensitivity((), f"not computed: a run failed: {failed[0].error}")
    import numpy as np

    answers = np.array([each.share for each in found])
    effects = analysis.analyze(problem, design, answers, num_levels=4, seed=seed % 2**32)
    indices = [
        Index(
            factor=factor.name,
            low=factor.low,
            high=factor.high,
            mu_star=float(effects["mu_star"][place]),
            sigma=_finite(float(effects["sigma"][place])),
            confidence=_finite(float(effects["mu_star_conf"][place])),
        )
        for place, factor in enumerate(moved)
    ]
    return Sensitivity(tuple(sorted(indices, key=lambda index: -index.mu_star)), "")


def _finite(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None
