"""What must hold of price feeds that are computed from others, each with an ID and a sentence.

As `harness.testing.invariants`: plain functions of decoded integers, each of which returns what is
wrong, or None, and a contract with one planted bug for each in ``contracts/mutants``. ORA-2 costs
O(sources), the others O(1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = [
    "ORACLE_INVARIANTS",
    "wrong_average",
    "wrong_bounded",
    "wrong_capped",
    "wrong_median",
    "wrong_stuck",
]

ORACLE_INVARIANTS: Mapping[str, str] = {
    "ORA-1": "Nothing that is traded within a block moves a pool average in that block.",
    "ORA-2": "A median is the middle of the answers of its fresh sources: as many lie at or above "
    "it as at or below it, and there are enough of them.",
    "ORA-3": "A bounded answer is within its distance from the anchor's.",
    "ORA-4": "A capped answer is at most its reference, grown in a straight line at the rate "
    "allowed.",
    "ORA-5": "A stuck feed never answers below its minimum, nor with a round of after it went "
    "stale.",
}
"""Each invariant's sentence, by ID."""

_BPS = 10_000
_RAY = 10**27


def wrong_average(before: int, after: int) -> str | None:
    """ORA-1: the answer at one time, without and with what was traded in the block."""
    if after != before:
        return f"the average went from {before} to {after} within a block"
    return None


def wrong_median(answer: int, fresh: Sequence[int], *, quorum: int) -> str | None:
    """ORA-2: ``fresh`` are the answers that may count, in the median's decimals."""
    if len(fresh) < quorum:
        return f"{len(fresh)} sources are fresh, {quorum} are needed, and the answer is {answer}"
    ordered = sorted(fresh)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2
    if answer != middle:
        return f"the answer is {answer}, the middle of {ordered} is {middle}"
    return None


def wrong_bounded(answer: int, anchor: int, *, max_deviation_bps: int) -> str | None:
    """ORA-3: both in the feed's decimals."""
    if abs(answer - anchor) * _BPS > anchor * max_deviation_bps:
        return f"the answer is {answer}, more than {max_deviation_bps} bps from {anchor}"
    return None


def wrong_capped(answer: int, *, reference: int, growth_ray: int, seconds: int) -> str | None:
    """ORA-4: ``growth_ray`` is the growth allowed per second (RAY), ``seconds`` the reference's
    age."""
    if answer * _RAY > reference * (_RAY + growth_ray * seconds):
        return f"the answer is {answer}, {seconds} seconds after a reference of {reference}"
    return None


def wrong_stuck(
    answer: int, updated_at: int, *, minimum: int, stale_from: int | None
) -> str | None:
    """ORA-5: ``minimum`` in the feed's decimals, times in epoch seconds."""
    if answer < minimum:
        return f"the answer is {answer}, below the minimum of {minimum}"
    if stale_from is not None and updated_at >= stale_from:
        return f"a round of {updated_at} is answered, stale since {stale_from}"
    return None
