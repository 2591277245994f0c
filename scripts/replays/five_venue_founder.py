#!/usr/bin/env python3
"""12 and 13 June 2024 on real series: one founder's CRV on five venues.

    LIQUIDATION_HARNESS_DATA=folder python scripts/replays/five_venue_founder.py

Prices: Binance CRV/USDT and ETH/USDT, closes of 5 minutes, which spare the accounts the lows within
(.219 for CRV, by which the scenario goes); USDC at a dollar. Positions, terms and depth are
those of the scenario five-venue-founder, with their assumptions.

Read the run with feedback and its twin without as a range: the prices of that night hold the impact
of the liquidations of that night.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.experiments.replay import play, with_series
from harness.scenario import Scenario, checked, load_scenario

SERIES = {
    "CRV": "prices/2024-06_crv__binance_CRVUSDT_5m.csv.gz",
    "ETH": "prices/2024-06_crv__binance_ETHUSDT_5m.csv.gz",
}
SEED = 1


def scenario(folder: Path) -> Scenario:
    """The built-in scenario on these series in place of its own."""
    series = {symbol: folder / file for symbol, file in SERIES.items()}
    return checked(with_series(load_scenario("five-venue-founder"), series))


if __name__ == "__main__":
    sys.exit(play(scenario, SEED))
