"""What must hold of a default waterfall, each with an ID and a sentence.

Plain functions of decoded integers, as in `harness.testing.invariants`: each returns what is wrong,
or None. A contract in ``contracts/mutants`` has a bug planted for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

__all__ = [
    "CLEARING_INVARIANTS",
    "FUNDED_STEPS",
    "STEPS",
    "wrong_clearing_fund",
    "wrong_end_of_round",
    "wrong_haircut",
    "wrong_line",
    "wrong_loss_by_step",
    "wrong_order_of_steps",
    "wrong_pro_rata",
    "wrong_severity",
]

STEPS: Sequence[str] = (
    "margin",
    "insurance",
    "own_share",
    "stake",
    "default_fund",
    "assessment",
    "deleveraging",
    "winners",
    "vault",
)
"""The steps of IClearingFund.Step, in their order on chain."""

FUNDED_STEPS = STEPS[:6]
"""Those that pay out of money put up for it."""

_BPS = 10_000

CLEARING_INVARIANTS: Mapping[str, str] = {
    "CLR-1": "A step of the waterfall pays what is left of the loss as far as it can: none is used "
    "before the one above it is spent.",
    "CLR-2": "No winner pays more than its profit, at the prices of the round.",
    "CLR-3": "After the last step no account of the round is frozen or below zero, and nothing is "
    "left unpaid that the vault's equity could pay.",
    "CLR-4": "Pro rata, accounts of the same wealth and weight pay the same, to the wei.",
    "CLR-5": "What the steps paid and what is left unpaid add up to the losses, to the wei.",
    "CLR-6": "The fund's tokens are margins + default fund + stake, to the wei.",
    "CLR-7": "The line falls by rank, and when it is complete nobody is missing who has a profit "
    "to lose.",
    "CLR-8": "By deleveraging winners pay at most the severity's share of the loss that the funds "
    "left unpaid; through the price, a unit more for each position closed.",
}
"""Each invariant's sentence, by ID."""


def wrong_order_of_steps(
    *, loss: int, available: Mapping[str, int], paid: Mapping[str, int]
) -> str | None:
    """CLR-1 for one loss: what each funded step had before it, and what it paid.

    Keys are of `FUNDED_STEPS`; all in settlement units.
    """
    left = loss
    for step in FUNDED_STEPS:
        due = min(left, available.get(step, 0))
        if paid.get(step, 0) != due:
            had = available.get(step, 0)
            return f"{step} paid {paid.get(step, 0)} of {left}, and had {had}"
        left -= due
    return None


def wrong_haircut(*, paid: int, profit: int) -> str | None:
    """CLR-2 for one account: all it paid in a round, in settlement units."""
    if paid > max(0, profit):
        return f"a winner paid {paid} of a profit of {profit}"
    return None


def wrong_end_of_round(
    accounts: Iterable[tuple[bool, int]], *, unpaid: int, vault_equity: int
) -> str | None:
    """CLR-3: (frozen, equity) of every account taken into the round."""
    for frozen, equity in accounts:
        if frozen or equity < 0:
            return f"an account is left {'frozen' if frozen else 'free'} with equity {equity}"
    if unpaid and vault_equity > 0:
        return f"{unpaid} are unpaid, and the vault has {vault_equity}"
    return None


def wrong_pro_rata(payments: Iterable[tuple[int, int, int]]) -> str | None:
    """CLR-4: (wealth, weight, due) of every account in a line that is pro rata."""
    found: dict[tuple[int, int], int] = {}
    for wealth, weight, due in payments:
        other = found.setdefault((wealth, weight), due)
        if other != due:
            return f"of two accounts with wealth {wealth}, one pays {other}, the other {due}"
    return None


def wrong_loss_by_step(
    *, losses: int, residuals: int, paid: Iterable[int], by_price: int, unpaid: int
) -> str | None:
    """CLR-5 for one round.

    Args:
        losses: of accounts at the prices of the round, and deficits reported.
        residuals: what closing left beyond that.
        paid: what steps paid into the deficit.
        by_price: what was left to winners to pay through the price.
        unpaid: what stays in the deficit.

    """
    total = sum(paid) + unpaid
    if total != losses - by_price + residuals:
        return (
            f"{total} were paid or left unpaid of losses of {losses} less {by_price} by price and "
            f"{residuals} more: {total - losses + by_price - residuals:+d}"
        )
    return None


def wrong_severity(
    *, unpaid: Iterable[int], severity_bps: int, paid: int, closings: int
) -> str | None:
    """CLR-8 for one round.

    Args:
        unpaid: what the funds left of each loss.
        severity_bps: largest share of it that deleveraging recovers.
        paid: by deleveraging.
        closings: positions closed through the price, each of which is rounded up.

    """
    losses = sum(unpaid)
    if paid > losses * severity_bps // _BPS + closings:
        return f"winners paid {paid} of a loss of {losses}, at a severity of {severity_bps} bps"
    return None


def wrong_clearing_fund(*, margins: int, pool: int, stake: int, tokens: int) -> str | None:
    """CLR-6."""
    if margins + pool + stake != tokens:
        return f"margins {margins} + fund {pool} + stake {stake} are not the {tokens} tokens held"
    return None


def wrong_line(
    listed: Sequence[tuple[int, bytes]], winners: Iterable[bytes] | None = None
) -> str | None:
    """CLR-7: (rank, account) as listed; ``winners`` are those on a side of a complete line who have
    something to lose."""
    for (rank, word), (after, other) in pairwise(listed):
        if after > rank or (after == rank and other <= word):
            return f"an account of rank {after} stands behind one of rank {rank}"
    missing = set(winners or ()) - {word for _, word in listed}
    if missing:
        return f"{len(missing)} accounts with a profit are not in line"
    return None
