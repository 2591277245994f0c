#!/usr/bin/env python3
"""June 2022 on real series and real positions: three markets of stETH, and what linked them.

    LIQUIDATION_HARNESS_DATA=folder python scripts/replays/staked_eth_loops.py

Prices: Binance ETH/USDT in 5 minutes, CoinGecko stETH in USD about hourly, 12 to 19 June 2022.
Positions: 271 users of Aave v2 with stETH collateral and ETH debt, and 646 with stETH collateral
and debt in stable coins, June 2023. They are a proxy for 2022: each account keeps its size in ETH
and its health factor, given the price of stETH at the start. Of the accounts with ETH debt every
other one is put into a second market that lends on the same terms, since which of them used which
market is not in the data; the terms of both are those of Aave v2.

Read the run with feedback and its twin without as a range: the prices of that week hold the impact
of the liquidations of that week. Depth is assumed, as in the scenario staked-eth-loops.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import sys
from pathlib import Path

from harness.experiments.replay import first_price, play, with_series
from harness.scenario import (
    LendingAsset,
    Liquidator,
    Pool,
    PooledLending,
    PositionRow,
    Positions,
    Scenario,
    checked,
    load_scenario,
)

ETH_PRICES = "prices/2022-06_steth_3ac__binance_ETHUSDT_5m.csv.gz"
STETH_PRICES = "prices/2022-05_07__coingecko_stETH_usd_hourly.csv.gz"
LOOPS = "positions/aave_lido_2023-06__b1.csv.gz"
DOLLARS = "positions/aave_lido_2023-06__b21_debt_stables.csv.gz"
SEED = 1
THRESHOLD_BPS, BONUS_BPS = 8300, 750
STALE = 1655092983
"""A stETH price of 13 June, 04:03 UTC, that had not been updated (data/README.md)."""


def accounts(path: Path) -> list[tuple[float, float]]:
    """Collateral and debt of each user, in ETH of the file."""
    rows = csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode()))
    found = [(float(row["collateral"]), float(row["debt"])) for row in rows]
    return [(held, owed) for held, owed in found if owed > 0.5]


def scenario(folder: Path) -> Scenario:
    """The built-in scenario with real prices and positions in place of its own."""
    base = load_scenario("staked-eth-loops")
    base = with_series(
        base,
        {"ETH": folder / ETH_PRICES, "STETH": folder / STETH_PRICES},
        without={"STETH": (STALE, 1800)},
    )
    eth_usd = first_price(base, "ETH")
    ratio = first_price(base, "STETH") / eth_usd
    loops, dollars = accounts(folder / LOOPS), accounts(folder / DOLLARS)

    def rows(held: list[tuple[float, float]], symbol: str, worth: float) -> tuple[PositionRow, ...]:
        """Accounts whose health factor in the file holds at the start of the run."""
        return tuple(
            PositionRow((("STETH", round(collateral / ratio, 6)),), ((symbol, debt * worth),))
            for collateral, debt in held
        )

    populations = tuple(
        Positions(f"{name}-accounts", name, rows(held, symbol, worth), unhealthy="drop")
        for name, held, symbol, worth in (
            ("loops", loops[::2], "ETH", 1.0),
            ("second-loops", loops[1::2], "ETH", 1.0),
            ("dollars", dollars, "USDC", round(eth_usd, 2)),
        )
    )
    owed = {p.venue: sum(row.borrowed[0][1] for row in p.positions) for p in populations}
    collateral = LendingAsset(
        "STETH", 7500, THRESHOLD_BPS, BONUS_BPS, 1000, reserve_factor_bps=1500
    )
    markets = tuple(
        PooledLending(name, (collateral, LendingAsset(symbol, supplied=round(owed[name] * 1.2))))
        for name, symbol in (("loops", "ETH"), ("second-loops", "ETH"), ("dollars", "USDC"))
    )
    agents = tuple(
        Liquidator(
            f"of-{name}",
            name,
            ((symbol, capital),),
            count=2,
            max_transactions=5,
            min_profit_usd=50,
            fee_deposit=100,
        )
        for name, symbol, capital in (
            ("loops", "ETH", 4e3),
            ("second-loops", "ETH", 4e3),
            ("dollars", "USDC", 5e6),
        )
    ) + tuple(agent for agent in base.agents if not isinstance(agent, Liquidator))
    return checked(
        dataclasses.replace(
            base,
            name="staked-eth-loops-replay",
            venues=(*base.venues_of(Pool), *markets),
            populations=populations,
            agents=agents,
        )
    )


if __name__ == "__main__":
    sys.exit(play(scenario, SEED))
