"""Figures of a default waterfall: who paid each unit, whose profits were cut, and how long it took.

USD figures are settlement units at the outside price of the settlement token at the end, divided
once; `loss_by_step` has the integers, and so do the tables of a run directory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.protocols.perp_exchange import PerpVenue
from harness.risk.insurance import needed_insurance
from harness.scenario import PRICE_UNIT
from harness.testing.clearing_invariants import STEPS
from harness.trace import Trace, WaterfallRow
from harness.world import World


class Haircut(NamedTuple):
    """What one account in line lost, in settlement units.

    ``place`` counts from 1 within the round; ``wealth`` is the most it could have been asked for,
    ``paid`` what it was, ``closed`` the value of what was closed of its positions.
    """

    round: int
    place: int
    account: int
    wealth: int
    paid: int
    closed: int


def haircuts(run: Trace, venue: str) -> list[Haircut]:
    """Every account that was dealt with, in order."""
    wealth: dict[tuple[int, int], int] = {}
    places: Counter[int] = Counter()
    found = []
    for row in _rows(run, venue):
        if row.name == "Listed":
            wealth[row.round, row.account] = row.fields["wealth"]
        elif row.name == "Deleveraged":
            places[row.round] += 1
            found.append(
                Haircut(
                    row.round,
                    places[row.round],
                    row.account,
                    wealth[row.round, row.account],
                    row.fields["paid"],
                    row.fields["closedValue"],
                )
            )
    return found


def largest_haircut(cut: Sequence[Haircut]) -> float | None:
    """The largest share of its profit that an account lost, all rounds together; None without any.

    Its profit is the most it would have had to lose in any round, had it paid nothing before.
    """
    paid: defaultdict[int, int] = defaultdict(int)
    profit: defaultdict[int, int] = defaultdict(int)
    for each in cut:
        profit[each.account] = max(profit[each.account], paid[each.account] + each.wealth)
        paid[each.account] += each.paid
    return max((paid[a] / most for a, most in profit.items() if most), default=None)


def loss_by_step(run: Trace, venue: str) -> dict[str, int]:
    """What each step paid, in settlement units, and what nobody has: together the losses."""
    paid = dict.fromkeys(STEPS, 0)
    for row in _rows(run, venue):
        if row.name == "Paid":
            paid[STEPS[row.fields["step"]]] += row.fields["amount"]
    paid["unpaid"] = run.blocks[-1].exchanges[venue].books.deficit
    return paid


def losses_taken(run: Trace, venue: str) -> tuple[int, int]:
    """Losses at the prices of the rounds, with what closing left beyond, and the part of it that
    winners were to pay through the price and did not: it came back as a residual."""
    losses = residuals = 0
    for row in _rows(run, venue):
        if row.name == "LossTaken":
            losses += row.fields["loss"]
        elif row.name == "ClosedOut":
            residuals += row.fields["residual"]
    return losses, residuals


def overshoot(run: Trace, venue: str) -> int:
    """What winners paid beyond the losses that no fund paid, in settlement units: where prices have
    moved on, or positions were closed at a price that gave more than was needed."""
    paid = loss_by_step(run, venue)
    return max(0, paid["deleveraging"] + paid["winners"] - left_by_funds(run, venue))


def left_by_funds(run: Trace, venue: str) -> int:
    """The losses that no fund paid, in settlement units: D of Chitra, "Autodeleveraging" (arXiv
    2512.01112), of which deleveraging recovers at most the severity's share."""
    rows = _rows(run, venue)
    return sum(row.fields["unpaid"] for row in rows if row.name == "LossTaken")


def waterfall(run: Trace, world: World) -> dict[str, Any]:
    """Figures by exchange behind a clearing house."""
    return {
        name: _figures(run, world.exchanges[name], house.spec.severity_bps)
        for house in world.clearing.values()
        for name in house.exchanges
    }


def _figures(run: Trace, venue: PerpVenue, severity_bps: int) -> dict[str, Any]:
    price = run.blocks[-1].external[venue.settlement]

    def usd(units: int) -> float:
        return units * price / (PRICE_UNIT * venue.unit)

    rows = _rows(run, venue.name)
    cut = haircuts(run, venue.name)
    losses, residuals = losses_taken(run, venue.name)
    steps, left = loss_by_step(run, venue.name), left_by_funds(run, venue.name)
    needed = needed_insurance(run, venue)
    return {
        "reported": sum(row.name == "Reported" for row in rows),
        "rounds": sum(row.name == "RoundClosed" for row in rows),
        "loss_usd": usd(losses),
        "residual_usd": usd(residuals),
        "loss_by_step_usd": {step: usd(n) for step, n in steps.items()},
        "severity": {
            "most_bps": severity_bps,
            "left_by_funds_usd": usd(left),
            "recovered_share": steps["deleveraging"] / left if left else None,
        },
        "winners": {
            "in_line": sum(row.name == "Listed" for row in rows),
            "paid": len({each.account for each in cut if each.paid}),
            "closed_usd": usd(sum(each.closed for each in cut)),
            "largest_haircut": largest_haircut(cut),
        },
        "by_rank": [
            {
                "accounts": len(tenth),
                "wealth_usd": usd(sum(each.wealth for each in tenth)),
                "paid_usd": usd(sum(each.paid for each in tenth)),
                "closed_usd": usd(sum(each.closed for each in tenth)),
            }
            for tenth in by_rank(run, venue.name)
        ],
        "overshoot_usd": usd(overshoot(run, venue.name)),
        "time_to_close": _times(rows),
        "insurance": {
            "start_usd": usd(run.blocks[0].exchanges[venue.name].insurance_equity),
            "needed_usd": usd(needed.needed),
            "var_rule_usd": usd(needed.var_rule),
            "var_rule_quantile": needed.quantile,
            "var_rule_blocks": needed.horizon,
        },
    }


def by_rank(run: Trace, venue: str) -> list[list[Haircut]]:
    """Accounts that were dealt with by tenths of the lines they stood in, first to last. Who was
    in line and whose turn did not come has lost nothing, and is in no tenth."""
    length: Counter[int] = Counter()
    for row in _rows(run, venue):
        length[row.round] += row.name == "Listed"
    tenths: list[list[Haircut]] = [[] for _ in range(10)]
    for each in haircuts(run, venue):
        tenths[min(9, 10 * (each.place - 1) // length[each.round])].append(each)
    return tenths


def _times(rows: Sequence[WaterfallRow]) -> dict[str, Any]:
    """Blocks from the report of a default to the end of its account's positions."""
    reported: dict[int, int] = {}
    waits = []
    for row in rows:
        if row.name == "Reported" and not row.fields["deficit"]:
            reported[row.account] = row.block
        elif row.name == "ClosedOut" and row.account in reported:
            waits.append(row.block - reported.pop(row.account))
    ordered = sorted(waits)
    return {
        "closed": len(waits),
        "open": len(reported),
        "median_blocks": ordered[len(ordered) // 2] if ordered else None,
        "longest_blocks": ordered[-1] if ordered else None,
        "first_block": next((row.block for row in rows if row.name == "Reported"), None),
    }


def _rows(run: Trace, venue: str) -> list[WaterfallRow]:
    return [row for row in run.waterfall if row.venue == venue]


__all__ = [
    "Haircut",
    "haircuts",
    "largest_haircut",
    "left_by_funds",
    "loss_by_step",
    "losses_taken",
    "overshoot",
    "waterfall",
]
