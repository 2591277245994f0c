"""What the positions of a run at its start say of contagion, before anything has happened.

Holdings are borrowers' collateral at the first outside prices, sales what liquidating everybody
below 1 after the scenario's own fall (the lowest outside price without feedback) would sell: debt
and bonus, at most the collateral. Depth is the USD that move a price by 100% to first order: half
the pool reserve, and half the outside market's depth where arbitrageurs carry sales there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from harness.cuts import Channel
from harness.risk.network import Floats, indirect_losses, overlaps, vulnerability
from harness.run import RunResult
from harness.scenario import BPS, PRICE_UNIT, Arbitrageur

_HALF = (1 << 128) - 1

Matrix = Mapping[str, Mapping[str, float]]


class Prediction(NamedTuple):
    """Predicted losses of j by i, by i and then j, and by which channel they come about."""

    channel: Channel
    matrix: Matrix


def predictions(result: RunResult) -> dict[str, Prediction]:
    """Predicted losses of j by i's sales, by measure: in the order of the simulated matrix. Empty
    where there is no lending market, or no pool trades any collateral."""
    assets, depths = _depths(result)
    names = list(result.world.venues)
    if not assets or not names:
        return {}
    held, sold, equity, shock = _start(result, names, assets)
    found = {
        "overlap": overlaps(held, depths),
        "indirect": indirect_losses(held, depths, sold).T,
    }
    if (equity > 0).all():
        found["vulnerability"] = vulnerability(held, equity, depths, shock).losses.T
    return {
        measure: Prediction(
            "price",
            {
                i: {j: float(matrix[row, column]) for column, j in enumerate(names)}
                for row, i in enumerate(names)
            },
        )
        for measure, matrix in found.items()
    }


def opening_balances(result: RunResult, market: str) -> tuple[Floats, Floats]:
    """Claims and debts of a market's accounts at the start, tokens, by account and asset."""
    venue, census = result.world.venues[market], result.run.opening[market]
    units = np.array([result.world.units[s] for s in venue.assets], dtype=np.float64)
    words = np.array([(w >> 128, w & _HALF) for w in census.balances], dtype=np.float64).reshape(
        -1, len(venue.assets), 2
    )
    return words[:, :, 0] / units, words[:, :, 1] / units


def _depths(result: RunResult) -> tuple[list[str], list[float]]:
    """Assets that can be sold for another, and their depths in USD."""
    scenario, world, first = result.scenario, result.world, result.run.blocks[0]
    carried = {spec.pool for spec in scenario.agents_of(Arbitrageur)}
    depths: dict[str, float] = {}
    for name, pool in world.pools.items():
        price = first.external[pool.base] / PRICE_UNIT
        depth = first.reserves[name][0] / world.units[pool.base] * price / 2
        outside = scenario.asset(pool.base).external
        if name in carried and outside is not None:
            decimals = world.decimals[pool.base]
            base = outside.depth_base(first.external[pool.base], decimals)
            depth += base / world.units[pool.base] * price / 2
        depths[pool.base] = depths.get(pool.base, 0.0) + depth
    return list(depths), list(depths.values())


def _start(
    result: RunResult, names: list[str], assets: list[str]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Collateral, what a fall would sell, equity by venue, and that fall by asset."""
    world, run = result.world, result.run
    prices = {s: run.blocks[0].external[s] / PRICE_UNIT for s in run.blocks[0].external}
    low = {symbol: min(path) / PRICE_UNIT for symbol, path in result.paths.items()}
    held, sold = np.zeros((len(names), len(assets))), np.zeros((len(names), len(assets)))
    equity = np.zeros(len(names))
    for row, name in enumerate(names):
        venue = world.venues[name]
        thresholds = np.array(venue.thresholds_bps) / BPS
        bonuses = np.array([1 + a.liquidation_bonus_bps / BPS for a in venue.spec.assets])
        now = np.array([prices[s] for s in venue.assets])
        # debts fall with their asset, which relieves
        fallen = np.array([low[s] for s in venue.assets])
        claims, debts = opening_balances(result, name)
        equity[row] = float((claims * now).sum() - (debts * now).sum())
        below = (claims * fallen) @ thresholds < (debts * fallen).sum(axis=1)
        owed = (debts * fallen).sum(axis=1)
        seizable = claims * fallen * (thresholds > 0)
        covered = (seizable / bonuses).sum(axis=1)
        # of several collaterals in proportion: together no more than debt and bonus
        part = np.divide(owed, covered, out=np.ones_like(owed), where=covered > owed)
        for place, symbol in enumerate(venue.assets):
            if symbol in assets:
                column = assets.index(symbol)
                worth = claims[:, place] * now[place]
                held[row, column] += float(worth.sum())
                sold[row, column] += float((seizable[:, place] * part)[below].sum())
    shock = np.array([low[s] / prices[s] - 1 for s in assets])
    return held, sold, equity, shock
