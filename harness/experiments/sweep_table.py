"""A sweep as text, as wide as the terminal, at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.experiments.critical import Critical
from harness.experiments.design import Point, varied
from harness.experiments.search import Search
from harness.experiments.sweep import PointRows, Sweep
from harness.experiments.table import number
from harness.experiments.trial import TrialRow
from harness.risk.intervals import bootstrap_mean
from harness.terminal import WIDTH

MOST_POINTS = 20
MOST_REMARKS = 5
_RIGHT = 38


def sweep_table(sweep: Sweep, points: Sequence[PointRows], width: int = WIDTH) -> str:
    """A line for each point (the worst, where there are many), and what was wrong."""
    seeds = len(sweep.seeds)
    names = short_names(list(varied(sweep.points)))
    header = f"{'insolvency, $':>13} {'[95%]':>17} {'> 1bp':>6}"
    lines = [
        f"{sweep.name}: {_count(len(sweep.points), 'point')} of {sweep.base.name}, "
        f"{_count(seeds, 'seed')} each",
        "",
        f"{', '.join(names.values())[: width - _RIGHT - 1]:<{width - _RIGHT}}{header}",
    ]
    shown = points
    if len(points) > MOST_POINTS:
        shown = sorted(points, key=lambda entry: _mean(entry.rows), reverse=True)[:MOST_POINTS]
    lines += [_line(point, rows, width) for point, rows in shown]
    if len(shown) < len(points):
        lines.append(f"these are the {MOST_POINTS} worst; results.json has them all")
    remarks = list(remarks_on(points))
    if remarks:
        lines += ["", *remarks]
    return "\n".join(lines)


def _count(number_of: int, what: str) -> str:
    return f"{number_of:,} {what}{'' if number_of == 1 else 's'}"


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """The shortest ends of dotted paths that tell them apart, of at least two parts."""
    short: dict[str, str] = {}
    for path in paths:
        parts = path.split(".")
        for kept in range(min(2, len(parts)), len(parts) + 1):
            end = ".".join(parts[-kept:])
            if sum(other.endswith(end) for other in paths) == 1 or kept == len(parts):
                short[path] = end
                break
    return short


def _insolvency(rows: Sequence[TrialRow]) -> list[float]:
    return [float(row.figures["insolvency_usd"] or 0) for row in rows if row.status == "complete"]


def _mean(rows: Sequence[TrialRow]) -> float:
    values = _insolvency(rows)
    return sum(values) / len(values) if values else float("inf")


def _line(point: Point, rows: Sequence[TrialRow], width: int) -> str:
    values = ", ".join(_value(value) for value in point.cells().values())
    room = width - _RIGHT - 1
    label = _cut(values, room)
    figures = _insolvency(rows)
    if not figures:
        return f"{label:<{room + 1}}{'failed':>13}"
    interval = bootstrap_mean(figures, name="insolvency_usd")
    spread = ""
    if interval.low is not None and interval.high is not None:
        low, high = (number(end, "insolvency_usd") for end in (interval.low, interval.high))
        spread = f"[{low}, {high}]"
    above = sum((row.figures.get("insolvency_bps") or 0) > 1 for row in rows)
    share = f"{above}/{len(figures)}"
    return (
        f"{label:<{room + 1}}{number(interval.mean, 'insolvency_usd'):>13} {spread:>17} {share:>6}"
    )


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 3] + "..."


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def remarks_on(points: Sequence[PointRows]) -> Iterator[str]:
    """Trials that failed, invariants that did not hold, and how much of it was vacuous."""
    rows = [(place, row) for place, (_, several) in enumerate(points) for row in several]
    failed = [(place, row) for place, row in rows if row.status == "failed"]
    violated = [(place, row) for place, row in rows if row.violated]
    quiet = sum(row.vacuous for _, row in rows)
    if failed:
        yield f"{len(failed)} of {len(rows)} trials failed"
        for place, row in failed[:MOST_REMARKS]:
            yield f"  point {place}, seed {row.seed}: {row.error}"
    for place, row in violated[:MOST_REMARKS]:
        yield f"point {place}, seed {row.seed}: violates {', '.join(row.violated)}"
    if quiet:
        yield f"in {quiet} of {len(rows)} trials nothing happened (vacuous)"


def critical_table(
    sweep: Sweep, search: Search, found: Sequence[Critical], width: int = WIDTH
) -> str:
    """A line for each point at which a critical value was looked for, and how surely it is one."""
    names = list(short_names(list(varied(sweep.points))).values())
    percent = f"{100 * search.level:g}% interval"
    runs = sum(each.runs for each in found)
    grid_runs = sum(each.grid_runs for each in found)
    column = width - _RIGHT
    lines = [
        f"{sweep.name}: {search.title} of {sweep.base.name}, {_count(len(sweep.seeds), 'seed')}",
        f"at which P(insolvency > {search.above_bps:g} bp of supply) reaches {search.chance:g}",
        "",
        f"{_cut(', '.join(names), column - 1):<{column}}{search.kind[:14]:>14} {percent:>23}",
    ]
    for each in found:
        label = ", ".join(_value(value) for value in each.point.cells().values())
        bounds = f"[{_end(each.low)}, {_end(each.high)}]"
        shown = _cut(label or sweep.base.name, column - 1)
        lines.append(f"{shown:<{column}}{_critical(each):>14} {bounds:>23}")
    lines += ["", f"{runs:,} runs, where a grid as fine takes {grid_runs:,}"]
    for each in found:
        where = ", ".join(_value(value) for value in each.point.cells().values())
        at = f" at {where}" if where else ""
        if not each.monotone:
            lines.append(f"not monotone{at}: seeds solvent again at a worse value, or fewer there")
            lines += [
                f"  seed {seed}: insolvent at {_value(bad)}, solvent at {_value(good)}"
                for seed, bad, good in each.exceptions[:MOST_REMARKS]
            ]
        if each.undecided:
            lines.append(f"undecided{at}: {_count(len(each.undecided), 'seed')} with failed trials")
    return "\n".join(lines)


def _critical(found: Critical) -> str:
    if found.value is None:
        return "not reached"
    return f"{'<= ' if found.reached_at_once else ''}{_value(found.value)}"


def _end(value: float | None) -> str:
    return "?" if value is None else _value(value)
