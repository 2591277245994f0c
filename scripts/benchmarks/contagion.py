#!/usr/bin/env python3
"""The whole contagion matrix of ten markets, timed.

    python scripts/benchmarks/contagion.py

Ten lending markets with 2,000 holders between them share a pool and a feed for 300 blocks. The run
and its twin are made first; then the scenario is deployed once in each process and played again
from there without each of its links, and without all of them. Prints one JSON object: seconds of
the run, of the matrix and of both; processor seconds of everything, for a machine that has other
things to do; how many links there are and how many runs it took.
"""

from __future__ import annotations

import json
import os
import time

from harness.experiments.contagion import contagion
from harness.experiments.pool import local_executor
from harness.run import run
from harness.scenario import (
    Arbitrageur,
    Asset,
    Bid,
    BlockSpace,
    Borrowers,
    Clock,
    ConstantPrice,
    ExternalMarket,
    HealthDistribution,
    LendingAsset,
    Liquidator,
    Pool,
    PooledLending,
    PushFeed,
    Response,
    Scenario,
    SchedulePrice,
    SizeDistribution,
    checked,
)

VENUES = 10
HOLDERS = 2_000
BLOCKS = 300
SEED = 1
WORKERS = os.cpu_count() or 1


def scenario(venues: int, holders: int, blocks: int) -> Scenario:
    """Markets of one kind whose collateral falls by 40% over the run."""
    names = [f"market-{number}" for number in range(venues)]
    each = holders // venues
    bid = Bid(base_gwei=10)
    return checked(
        Scenario(
            name="ten-venues",
            clock=Clock(blocks, 60, 1_700_000_000),
            assets=(
                Asset(
                    "ETH",
                    SchedulePrice(((0, 1.0), (60 * blocks, 0.6)), "factor", "log-linear"),
                    18,
                    2000.0,
                    ExternalMarket(5e7),
                    PushFeed(deviation_bps=50),
                ),
                Asset("USDC", ConstantPrice(), 6, 1.0, ExternalMarket(5e8), PushFeed()),
            ),
            block_space=BlockSpace(gas_limit=30_000_000),
            venues=(
                Pool("eth-usdc", "ETH", "USDC", 100_000.0),
                *(
                    PooledLending(
                        name,
                        (
                            LendingAsset("ETH", 8000, 8300, 500, 1000, supplied=100.0),
                            LendingAsset("USDC", supplied=5e7),
                        ),
                    )
                    for name in names
                ),
            ),
            populations=tuple(
                Borrowers(
                    f"{name}-holders",
                    name,
                    each,
                    "ETH",
                    "USDC",
                    HealthDistribution(0.5, 0.7, min=1.05, max=6),
                    SizeDistribution(2e7, 1.2, 500.0, sampling="stratified"),
                    Response(top_up_bps=2000, deleverage_bps=2000, cash_bps=1500, bid=bid),
                )
                for name in names
            ),
            agents=(
                *(
                    Liquidator(
                        f"of-{name}",
                        name,
                        (("USDC", 5e6),),
                        max_transactions=4,
                        min_profit_usd=20,
                        fee_deposit=100,
                        bid=bid,
                    )
                    for name in names
                ),
                Arbitrageur("arbitrageur", "eth-usdc", 5e7, min_profit_usd=20, bid=bid),
            ),
        )
    )


def _processor_seconds() -> float:
    """What this process and those it waited for have used."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main() -> None:
    """Times the run and its matrix."""
    began = time.perf_counter()
    result = run(scenario(VENUES, HOLDERS, BLOCKS), SEED)
    done = time.perf_counter()
    with local_executor(WORKERS) as executor:
        found = contagion(result, executor=executor, workers=WORKERS)
    ended = time.perf_counter()
    for j in found.venues:
        entries = sum(found.entry(link, j) for link in found.links)
        if entries + found.interaction()[j] != found.run[j] - found.apart[j]:
            raise SystemExit(f"the entries of {j} do not add up")
    print(
        json.dumps(
            {
                "venues": VENUES,
                "holders": HOLDERS,
                "blocks": BLOCKS,
                "engine": result.engine,
                "processes": WORKERS,
                "liquidations": len(result.run.liquidations),
                "links": len(found.links),
                "runs": len(found.links) - len(found.idle) + 1,
                "deployments": 1 + WORKERS,
                "run_s": round(done - began, 1),
                "matrix_s": round(ended - done, 1),
                "total_s": round(ended - began, 1),
                "processor_s": round(_processor_seconds(), 1),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
