"""How large an insurance fund is needed, and how large a VaR rule would have made it.

Needed: all that accounts could not pay themselves, by whomever it was paid in the end. The rule
looks at the opening positions only: with the quantile of a market's moves over a horizon, all
markets at once and each against its larger side, it adds up what accounts would lose beyond their
equity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.protocols.perp_exchange import PerpVenue, halves
from harness.testing.clearing_invariants import STEPS
from harness.trace import Trace

QUANTILE = 0.99
HORIZON = 5
"""Blocks: from a price to the end of a liquidation that nobody hurries."""


class Needed(NamedTuple):
    """In settlement units: what was needed; what the rule says beforehand."""

    needed: int
    var_rule: int
    quantile: float
    horizon: int


def needed_insurance(
    run: Trace, venue: PerpVenue, quantile: float = QUANTILE, horizon: int = HORIZON
) -> Needed:
    """Both for one exchange. The moves are those of the run's own index, so that the rule knows the
    distribution: what it still lacks is not the fault of its data."""
    funded = {"margin"}
    needed = 0
    for row in run.waterfall:
        if row.venue == venue.name and row.name == "Paid":
            needed += row.fields["amount"] if STEPS[row.fields["step"]] not in funded else 0
    needed += run.blocks[-1].exchanges[venue.name].books.deficit
    needed += sum(
        loss.amount
        for loss in run.losses
        if loss.venue == venue.name and loss.by in ("insurance", "vault")
    )
    return Needed(needed, _var_rule(run, venue, quantile, horizon), quantile, horizon)


def _var_rule(run: Trace, venue: PerpVenue, quantile: float, horizon: int) -> int:
    """Worse of all markets falling and all rising by their quantile."""
    markets = len(venue.markets)
    moves = []
    for market in range(markets):
        prices = np.array(
            [float(b.exchanges[venue.name].states[market].index_wad) for b in run.blocks]
        )
        changes = prices[horizon:] / prices[:-horizon] - 1 if len(prices) > horizon else np.zeros(1)
        moves.append(
            (float(np.quantile(-changes, quantile)), float(np.quantile(changes, quantile)))
        )
    opening = run.exchange_opening[venue.name]
    marks = [state.mark_wad for state in run.blocks[0].exchanges[venue.name].states]
    worst = 0
    for direction in (0, 1):
        short = 0
        for number, worth in enumerate(opening.worth):
            row = opening.words[number * opening.width : (number + 1) * opening.width]
            change = 0.0
            for market in range(markets):
                size, _ = halves(row[1 + 2 * market])
                move = max(0.0, moves[market][direction]) * (-1 if direction == 0 else 1)
                change += size * marks[market] / venue.value_scale * move
            short += max(0, -(worth.equity + int(change)))
        worst = max(worst, short)
    return worst
