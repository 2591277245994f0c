"""Closed forms beside the bounds that runs give, and by how much they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness import portable
from harness.audit.draws import stresses
from harness.audit.ranges import SafeRange
from harness.population import build_population
from harness.prices import build_paths
from harness.risk import closed_forms as forms
from harness.risk.open_interest import largest_open_interest
from harness.scenario import (
    BPS,
    PRICE_UNIT,
    LendingAsset,
    PerpExchange,
    Pool,
    PooledLending,
    Scenario,
)

__all__ = ["Bound", "bounds", "depth_reserve_usd", "move_at_level"]


@dataclass(frozen=True)
class Bound:
    """An upper bound on a parameter from a formula, and from runs.

    closed_form: in the parameter's unit
    simulated: the upper end of its safe range, None if no value tried is safe
    open_ended: every larger value examined is safe too
    difference: simulated / closed form - 1, None where either is missing
    premise: what the formula supposes, so that a difference can be understood
    """

    parameter: str
    path: str
    unit: str
    form: str
    premise: str
    closed_form: float
    simulated: float | None
    open_ended: bool

    @property
    def difference(self) -> float | None:
        """How far the runs' bound is from the formula's, relative."""
        if self.simulated is None or not self.closed_form:
            return None
        return self.simulated / self.closed_form - 1


def move_at_level(scenario: Scenario) -> float:
    """The log fall that a crisis exceeds with a probability of 1 - level; 0 without a downturn."""
    beyond = float(portable.log(np.array([1 - scenario.audit.level]))[0])
    return max(
        (
            stress.threshold - stress.mean_excess * beyond
            for stress in stresses(scenario)
            if stress.kind == "downturn"
        ),
        default=0.0,
    )


def depth_reserve_usd(scenario: Scenario, symbol: str, prices: dict[str, int]) -> float:
    """What stands against sales of an asset, as one constant-product reserve in USD.

    Pools of the asset and the outside market in parallel, as unlimited arbitrage joins them.
    """
    price = prices[symbol] / PRICE_UNIT
    asset = scenario.asset(symbol)
    tokens = sum(pool.base_reserve for pool in scenario.venues_of(Pool) if pool.base == symbol)
    if asset.external is not None:
        units = asset.external.depth_base(prices[symbol], asset.decimals)
        tokens += units / 10**asset.decimals
    return tokens * price


def bounds(scenario: Scenario, seed: int, ranges: Sequence[SafeRange]) -> tuple[Bound, ...]:
    """Every closed form that says something about a parameter of the scenario."""
    prices = {symbol: int(path[0]) for symbol, path in build_paths(scenario, seed).items()}
    by_path = {each.lever.path: each for each in ranges}
    found: list[Bound] = []
    for market in scenario.venues_of(PooledLending):
        for listing in market.assets:
            at = f"venue.{market.name}.asset.{listing.symbol}"
            if f"{at}.liquidation_threshold_bps" in by_path:
                found += _of_collateral(scenario, market, listing, seed, prices, by_path, at)
    for exchange in scenario.venues_of(PerpExchange):
        for traded in exchange.markets:
            path = f"venue.{exchange.name}.market.{traded.symbol}.long_cap"
            if path in by_path:
                found += _of_market(scenario, exchange, traded.symbol, prices, by_path[path])
    return tuple(found)


def _of_market(
    scenario: Scenario, exchange: PerpExchange, symbol: str, prices: dict[str, int], safe: SafeRange
) -> Iterator[Bound]:
    """The largest safe open interest by the three rules, in tokens."""
    price = prices[symbol] / PRICE_UNIT
    settled = prices[exchange.settlement] / PRICE_UNIT
    move, reserve = move_at_level(scenario), depth_reserve_usd(scenario, symbol, prices)
    vault, capital = exchange.vault * settled, scenario.audit.manipulator_usd
    if not move or not reserve or not vault or not capital:
        return
    fall = 1 - float(portable.exp(np.array([-move]))[0])
    rules = largest_open_interest(
        vault=vault, move=fall, capital=capital, reserve=reserve, whole=reserve
    )
    for form, premise, amount in (
        (
            "loss of 30% of the vault in a crisis",
            f"the vault is the other side of all of it in a move of {fall:.1%}, nobody is "
            "liquidated",
            rules.move_usd,
        ),
        (
            "manipulation earns 10% of the vault",
            f"a push of the spot with up to ${capital:,.0f} against ${reserve:,.0f} of depth, all "
            "profit taken",
            rules.manipulation_usd,
        ),
        ("5% of the depth", f"expert's cap on ${reserve:,.0f} of depth", rules.share_usd),
    ):
        binding = " (the least)" if amount == rules.largest_usd else ""
        yield Bound(
            safe.lever.name,
            safe.lever.path,
            safe.lever.unit,
            form + binding,
            premise,
            amount / price,
            safe.high,
            safe.high_open and safe.high is not None,
        )


def _of_collateral(
    scenario: Scenario,
    market: PooledLending,
    listing: LendingAsset,
    seed: int,
    prices: dict[str, int],
    by_path: dict[str, SafeRange],
    at: str,
) -> Iterator[Bound]:
    bonus, symbol = listing.liquidation_bonus_bps / BPS, listing.symbol
    threshold = listing.liquidation_threshold_bps / BPS
    price = prices[symbol] / PRICE_UNIT
    reserve = depth_reserve_usd(scenario, symbol, prices)
    held = [
        units / 10 ** scenario.asset(symbol).decimals * price
        for position in build_population(scenario, seed, prices)
        if position.venue == market.name and position.borrowed
        for owned, units in position.supplied
        if owned == symbol
    ]
    largest, use = max(held, default=0.0), sum(held) + listing.supplied * price
    move = move_at_level(scenario)
    sellable = forms.sellable_within_bonus(reserve, bonus)
    share = market.close_factor_bps / BPS

    def bound(path: str, form: str, premise: str, value: float) -> Bound:
        safe = by_path[f"{at}.{path}"]
        return Bound(
            safe.lever.name,
            safe.lever.path,
            safe.lever.unit,
            form,
            premise,
            value,
            safe.high,
            safe.high_open and safe.high is not None,
        )

    def on_threshold(form: str, premise: str, value: float) -> Bound:
        return bound("liquidation_threshold_bps", form, premise, value * BPS)

    yield on_threshold(
        "toxic bound, 1/(1+b)",
        "constant price, no impact of sales: above it a liquidation lowers the health factor",
        forms.toxic_bound(bonus),
    )
    if reserve and largest:
        yield on_threshold(
            "depth-coupled toxic bound, 1/((1+b)(1+2c/y))",
            "all depth is one pool whose spot is the oracle, no recovery; c: the largest account",
            forms.depth_coupled_bound(bonus, largest, reserve),
        )
        yield on_threshold(
            f"depth-coupled toxic bound, one step of {share:.0%}",
            "the same with the close factor as the step",
            _largest(lambda ltv: not forms.is_toxic_step(ltv, bonus, share, largest, reserve)),
        )
    if move:
        fall = 1 - float(portable.exp(np.array([-move]))[0])
        yield on_threshold(
            f"loss frontier of a jump of {fall:.1%}, (1-x)/(1+b)",
            "one jump at the audit's level, full liquidation without impact, no loss allowed, "
            "every account at its threshold",
            forms.threshold_for_jump(fall, bonus),
        )
    if move and reserve:
        confidence = scenario.audit.confidence or 1.0
        volatility = move / confidence
        limit = bound("supply_cap", "", "", 1.0) if f"{at}.supply_cap" in by_path else None
        premise = (
            f"c sigma is the crisis at the level, {move:.3f}; l is what is sold within the bonus, "
            f"${sellable:,.0f}"
        )
        if sellable and use:
            yield on_threshold(
                "SmartLTV, exp(-c sigma / sqrt(l/d)) - b",
                f"{premise}; d: what is supplied, ${use:,.0f}",
                max(
                    0.0,
                    forms.smart_ltv(sellable, use, volatility, bonus, confidence=confidence),
                ),
            )
        if limit is not None and sellable:
            yield bound(
                "supply_cap",
                "SmartLTV solved for the cap",
                premise,
                forms.smart_ltv_cap(sellable, threshold, volatility, bonus, confidence=confidence)
                / price,
            )
            yield bound(
                "supply_cap",
                "what is sold within the bonus",
                "all collateral is seized and sold at once, no recovery",
                sellable / price,
            )
    if f"{at}.liquidation_bonus_bps" in by_path:
        yield bound(
            "liquidation_bonus_bps",
            "toxic bound, 1/threshold - 1",
            "at or above it every liquidation lowers the health factor",
            (1 / threshold - 1) * BPS,
        )


def _largest(holds: Callable[[float], bool]) -> float:
    """The largest LTV below 1 at which a condition that holds for small ones still holds."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
