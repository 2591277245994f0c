"""Built-in scenarios of several venues on real price series: what the scripts of replays share.

A historical series holds the impact of its own day's liquidations: a run on one and its twin, in
which forced trades move nothing, are the ends of a range.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.experiments.contagion import contagion
from harness.experiments.pool import local_executor
from harness.metrics.losses import loss_by_role, losses
from harness.metrics.summary import twin_figures
from harness.prices.series import load_price_csv
from harness.run import RunResult, run
from harness.scenario import ReplayPrice, Scenario

DATA = "LIQUIDATION_HARNESS_DATA"
"""Environment variable that names the folder of real files."""

_WAD = 10**18

#: Seconds before the start of a run from which a series may give the first price.
_BEFORE = 7200


def with_series(
    scenario: Scenario,
    series: Mapping[str, Path],
    *,
    without: Mapping[str, tuple[int, int]] | None = None,
) -> Scenario:
    """The scenario with these files as the prices of these assets, from shortly before its start to
    its end.

    without: of an asset, leave out what is within so many seconds (second) of a time stamp (first),
        as a price that is known to be wrong

    Raises ScenarioError for a file that cannot be read.
    """
    start, end = scenario.clock.start, scenario.clock.time(scenario.clock.blocks)
    assets = list(scenario.assets)
    for place, asset in enumerate(assets):
        if asset.symbol in series:
            wrong, width = (without or {}).get(asset.symbol, (0, -1))
            points = tuple(
                (at, price)
                for at, price in load_price_csv(series[asset.symbol])
                if start - _BEFORE <= at <= end and abs(at - wrong) > width
            )
            assets[place] = dataclasses.replace(asset, price=ReplayPrice(points))
    return dataclasses.replace(scenario, assets=tuple(assets))


def first_price(scenario: Scenario, symbol: str) -> float:
    """The last price of a replayed series at or before the start of the run.

    Raises TypeError for an asset that is not replayed.
    """
    process = scenario.asset(symbol).price
    if not isinstance(process, ReplayPrice):
        raise TypeError(f"{symbol} is not replayed")
    return [price for at, price in process.points if at <= scenario.clock.start][-1]


def outcome(result: RunResult) -> dict[str, Any]:
    """The range of outcomes, the contagion matrix and who gained and lost, USD, for JSON."""
    workers = os.cpu_count() or 1
    with local_executor(workers) as executor:
        found = contagion(result, executor=executor, workers=workers)
    twin = twin_figures(result.twin, result.world)
    summary = result.summary
    carried = sorted(loss_by_role(losses(result)).items(), key=lambda item: item[1])
    return {
        "accounts": {name: len(venue.accounts) for name, venue in result.world.venues.items()},
        "digest": summary["digest"],
        "liquidations": {"run": summary["liquidations"]["count"], "twin": twin.liquidations},
        "repaid_usd": {
            "run": round(summary["liquidations"]["repaid_usd"]),
            "twin": round(twin.repaid_usd),
        },
        "insolvency_usd": {
            "run": round(summary["solvency"]["insolvency_usd"]),
            "twin": round(twin.insolvency_usd),
        },
        "contagion_usd": {
            i: {j: round(amount / _WAD) for j, amount in row.items()}
            for i, row in found.matrix().items()
        },
        "interaction_usd": {j: round(v / _WAD) for j, v in found.interaction().items()},
        "rank_correlation": found.foresight(),
        "gains_usd": {
            f"{role} {venue}".strip(): round(amount / _WAD) for (venue, role), amount in carried
        },
    }


def play(build: Callable[[Path], Scenario], seed: int) -> int:
    """Prints the outcome of what ``build`` makes of the folder of real files, as one JSON object.

    Returns an exit code: 2, with a line on stderr, where no folder is named.
    """
    folder = os.environ.get(DATA, "")
    if not folder:
        sys.stderr.write(f"{DATA} names no folder of real files\n")
        return 2
    sys.stdout.write(json.dumps(outcome(run(build(Path(folder)), seed)), indent=2) + "\n")
    return 0


__all__ = ["DATA", "first_price", "outcome", "play", "with_series"]
