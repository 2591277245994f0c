"""What users have in files, put into the scenario: positions, price histories, tables of depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.audit.depth import read_depth, with_reserve
from harness.audit.draws import stresses
from harness.errors import ScenarioError
from harness.prices.estimate import Correlated, PriceEstimate, correlate, estimate_jump_diffusion
from harness.prices.series import load_price_csv
from harness.report.figures import duration, percent
from harness.risk.tail import Estimate
from harness.scenario import (
    Asset,
    Borrowers,
    Correlation,
    Lending,
    Positions,
    PriceProcess,
    Response,
    Scenario,
    Stress,
    checked,
)
from harness.scenario.positions import load_positions

__all__ = ["Inputs", "Variant", "read_inputs"]


@dataclass(frozen=True)
class Variant:
    """The scenario at an end of what an input leaves open."""

    name: str
    scenario: Scenario


@dataclass(frozen=True)
class Inputs:
    """The scenario with its inputs, what they leave open, and what was found in them."""

    scenario: Scenario
    variants: tuple[Variant, ...]
    notes: tuple[str, ...]


def read_inputs(
    scenario: Scenario,
    positions: Path | None = None,
    prices: Sequence[str] = (),
    depth: Sequence[str] = (),
) -> Inputs:
    """Puts files into a scenario.

    positions: a table of accounts with the columns account, collateral_asset, collateral_amount,
        debt_asset and debt_amount, instead of the populations of the only lending market
    prices, depth: ``[ASSET=]FILE.csv`` each

    Raises ScenarioError for a file that cannot be used.
    """
    notes: list[str] = []
    if positions is not None:
        scenario = _with_positions(scenario, positions)
    histories = [_named(scenario, argument, "--prices") for argument in prices]
    variants: list[Variant] = []
    if histories:
        scenario, severe, told = _with_histories(scenario, histories)
        variants.append(Variant("prices at the severe ends of their intervals", severe))
        notes += told
    for argument in depth:
        only, file = _table(scenario, argument)
        for found in read_depth(scenario, file, only):
            low, high = found.reserve.low, found.reserve.high
            variants = [
                replace(v, scenario=with_reserve(v.scenario, found.symbol, found.reserve.value))
                for v in variants
            ]
            for name, end in (("10th", low), ("90th", high)):
                if end is not None:
                    told_as = f"depth of {found.symbol} at the {name} percentile of its quotes"
                    at_end = with_reserve(scenario, found.symbol, end)
                    variants.append(Variant(told_as, at_end))
            scenario = with_reserve(scenario, found.symbol, found.reserve.value)
            notes.append(
                f"{found.symbol}: depth of a constant product with {_span(found.reserve)} tokens "
                f"of base reserve, from {found.quotes} quotes in {file.name} (median, 10th and "
                "90th percentile)"
            )
    return Inputs(
        checked(scenario),
        tuple(replace(each, scenario=checked(each.scenario)) for each in variants),
        tuple(notes),
    )


def _span(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:,.6g}"
    return f"{found.value:,.6g} ({found.low:,.6g} to {found.high:,.6g})"


def _with_positions(scenario: Scenario, file: Path) -> Scenario:
    markets = scenario.venues_of(Lending)
    if len(markets) != 1:
        allowed = f"a scenario with one lending venue; this one has {len(markets)}"
        raise ScenarioError("--positions", str(file), allowed)
    name = markets[0].name
    replaced = [p for p in scenario.populations if p.venue == name]
    response = next(
        (p.response for p in replaced if isinstance(p, Borrowers | Positions)), Response()
    )
    symbols = [asset.symbol for asset in scenario.assets]
    given = Positions(
        name="accounts", venue=name, file=str(file.resolve()), response=response, unhealthy="drop"
    )
    loaded = load_positions(given, Path(), "--positions", symbols)
    kept = tuple(p for p in scenario.populations if p.venue != name)
    return replace(scenario, populations=(*kept, loaded))


def _named(scenario: Scenario, argument: str, option: str) -> tuple[str, Path]:
    """The asset and file of ``[ASSET=]FILE``; without one, the only asset that is no stable coin
    is meant. A share of a vault has no price of its own."""
    own = [asset for asset in scenario.assets if not asset.is_share]
    symbols = [asset.symbol for asset in own]
    head, equals, tail = argument.partition("=")
    if equals and head in symbols:
        return head, Path(tail)
    moving = [a.symbol for a in own if not 0.95 <= (a.start_price_usd or 0.0) <= 1.05]
    if len(moving) != 1 or (equals and head in [asset.symbol for asset in scenario.assets]):
        raise ScenarioError(option, argument, f"ASSET=FILE.csv with one of {', '.join(symbols)}")
    return moving[0], Path(argument)


def _table(scenario: Scenario, argument: str) -> tuple[str, Path]:
    """The asset, if one is named, and file of a table of depth."""
    head, equals, tail = argument.partition("=")
    if equals and head in [asset.symbol for asset in scenario.assets]:
        return head, Path(tail)
    return "", Path(argument)


def _with_histories(
    scenario: Scenario, histories: Sequence[tuple[str, Path]]
) -> tuple[Scenario, Scenario, list[str]]:
    """The scenario at the estimates and at their severe ends, and what was found."""
    symbols = [symbol for symbol, _ in histories]
    if len(set(symbols)) < len(symbols):
        raise ScenarioError("--prices", ", ".join(symbols), "one file for each asset")
    loaded = [(symbol, load_price_csv(file)) for symbol, file in histories]
    found = {symbol: estimate_jump_diffusion(points, symbol) for symbol, points in loaded}
    notes = [_estimate_note(symbol, file, found[symbol]) for symbol, file in histories]
    correlations = tuple(c for c in scenario.correlations if not set(c.assets) & set(symbols))
    if len(loaded) > 1:
        joint = correlate(loaded)
        notes.append(_correlation_note(joint))
        rows = tuple(tuple(round(c.value, 6) for c in row) for row in joint.matrix)
        correlations += (Correlation(assets=joint.assets, matrix=rows),)
    made = _with_processes(scenario, {s: e.process() for s, e in found.items()}, found)
    severe = _with_processes(scenario, {s: e.severe() for s, e in found.items()}, found)
    if not scenario.audit.stresses:
        classes = (*stresses(made), Stress("history", "as-is"))
        given = tuple(
            s for i, s in enumerate(classes) if s.kind != "as-is" or i == len(classes) - 1
        )
        audit = replace(scenario.audit, stresses=given)
        made, severe = replace(made, audit=audit), replace(severe, audit=audit)
    return (
        replace(made, correlations=correlations),
        replace(severe, correlations=correlations),
        notes,
    )


def _with_processes(
    scenario: Scenario, processes: dict[str, PriceProcess], found: dict[str, PriceEstimate]
) -> Scenario:
    def asset(each: Asset) -> Asset:
        if each.symbol not in processes:
            return each
        start = each.start_price_usd or found[each.symbol].last_price
        return replace(each, price=processes[each.symbol], start_price_usd=start)

    return replace(scenario, assets=tuple(asset(each) for each in scenario.assets))


def _percents(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return percent(found.value)
    return f"{percent(found.value)} ({percent(found.low)} to {percent(found.high)})"


def _estimate_note(symbol: str, file: Path, found: PriceEstimate) -> str:
    jumps = f"{found.jumps} jumps, {_span(found.jumps_per_year)} a year"
    if found.jumps:
        jumps += f", mean {_percents(found.jump_mean)}, deviation {_percents(found.jump_sd)}"
    return (
        f"{symbol}: volatility {_percents(found.sigma)} a year; {jumps}; from {found.returns:,} "
        f"returns of {duration(found.spacing_s)} in {file.name} (95% intervals)"
    )


def _correlation_note(found: Correlated) -> str:
    pairs = [
        f"{one} and {other} {_span(found.matrix[i][j])}"
        for i, one in enumerate(found.assets)
        for j, other in enumerate(found.assets[:i])
    ]
    return f"correlation of returns: {', '.join(pairs)}; {found.returns:,} common returns"
