#!/usr/bin/env python3
"""10 and 11 March 2023 on real series: USDC below a dollar, USDT above.

    LIQUIDATION_HARNESS_DATA=folder python scripts/replays/stablecoin_depeg.py

Prices: Kraken USDC/USD and USDT/USD in minutes, closes of minutes with a trade; Binance ETH/USDT in
5 minutes. Unlike in the scenario stablecoin-depeg, whose positions, terms and depth these are, USDT
is not held at a dollar: it traded up to 1.06 at one minute and up to 1.02 for hours.

Read the run with feedback and its twin without as a range: the prices of those hours hold the
impact of the sales of those hours.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.experiments.replay import play, with_series
from harness.scenario import Scenario, checked, load_scenario

SERIES = {
    "USDC": "prices/2023-03_usdc__kraken_usdcusd_1m.csv.gz",
    "USDT": "prices/2023-03_usdc__kraken_usdtusd_1m.csv.gz",
    "ETH": "prices/2023-03_usdc__binance_ETHUSDT_5m.csv.gz",
}
SEED = 1


def scenario(folder: Path) -> Scenario:
    """The built-in scenario on these series in place of its own."""
    series = {symbol: folder / file for symbol, file in SERIES.items()}
    return checked(with_series(load_scenario("stablecoin-depeg"), series))


if __name__ == "__main__":
    sys.exit(play(scenario, SEED))
