"""What must hold on chain whatever happens, each with an ID and a sentence.

The checks are plain functions of decoded integers: each returns what is wrong, or None. Those of
the first group cost O(1) for each asset or event and can be made every block; those of the second
cost O(accounts). `enforce` raises what they find. ``contracts/mutants`` holds a contract for each
with one planted bug, which the check must find.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.errors import InvariantViolation

__all__ = [
    "ACTION_INVARIANTS",
    "INVARIANTS",
    "enforce",
    "health_factor",
    "wrong_books",
    "wrong_health",
    "wrong_indexes",
    "wrong_liquidation",
    "wrong_reserves",
    "wrong_scaled_totals",
    "wrong_token_supply",
]

INVARIANTS: Mapping[str, str] = {
    "MKT-1": "Of every market asset, cash + debt + deficit equals claims + reserves exactly, "
    "and the market holds at least its cash in tokens.",
    "IDX-1": "No supply or borrow index of a market ever falls, or starts below 1.",
    "LIQ-1": "Every liquidated account had a health factor below 1 at the prices it was valued at.",
    "MKT-2": "Of every market asset, the scaled claims and debts of all accounts sum exactly to "
    "the market's totals.",
    "TOK-1": "The balances of a token sum to its total supply.",
}
"""Each invariant's sentence, by ID."""

ACTION_INVARIANTS: Mapping[str, str] = {
    "HLT-1": "No account lowers its health factor below 1 by borrowing or withdrawing.",
    "RES-1": "No supply, withdrawal, borrow or repayment lowers a market's reserves, and no "
    "liquidation that leaves collateral: rounding is at the account's expense.",
    "PAN-1": "No action ends in a panic: what is refused is refused for a reason.",
}
"""What holds of single actions, by ID: checked where it is known who did what, by
`harness.testing.lending` and the stateful machine, beside `INVARIANTS`."""

_WAD = 10**18
_RAY = 10**27
_BPS = 10_000
_LOW_HALF = (1 << 128) - 1


def enforce(identifier: str, problem: str | None, block: int | None = None) -> None:
    """Passes None on.

    Raises:
        InvariantViolation: there is a problem.

    """
    if problem is not None:
        raise InvariantViolation(identifier, problem, block)


# --- O(1) for each asset or event


def wrong_books(
    *, cash: int, debt: int, deficit: int, claims: int, reserves: int, token_balance: int
) -> str | None:
    """MKT-1 for one asset, all in its base units; ``token_balance`` is the market's own."""
    if cash + debt + deficit != claims + reserves:
        return (
            f"cash {cash} + debt {debt} + deficit {deficit} is not claims {claims} + "
            f"reserves {reserves}: {cash + debt + deficit - claims - reserves:+d}"
        )
    if token_balance < cash:
        return f"the market counts {cash} in cash and holds {token_balance}"
    return None


def wrong_indexes(before: tuple[int, int], after: tuple[int, int]) -> str | None:
    """IDX-1 for one asset: its supply and borrow index (RAY) at two moments, in order."""
    for name, old, new in zip(("supply", "borrow"), before, after, strict=True):
        if new < max(old, _RAY):
            return f"the {name} index went from {old} to {new}"
    return None


def wrong_liquidation(
    *,
    position_before: Sequence[int],
    prices: Sequence[int],
    health_factor_before: int | None,
    units: Sequence[int],
    threshold_bps: Sequence[int],
) -> str | None:
    """LIQ-1 for one liquidation, the health factor computed anew.

    Args:
        position_before: words of claims << 128 | debt in base units, by asset.
        prices: what they were valued at, USD WAD per whole token, by asset.
        health_factor_before: what the protocol says, WAD; None where it says nothing.
        units: base units of a whole token, by asset.
        threshold_bps: liquidation thresholds in force, by asset.

    """
    health = health_factor(position_before, prices, units, threshold_bps)
    if health is None:
        return "an account without debt was liquidated"
    if health >= _WAD:
        return f"an account was liquidated at a health factor of {health / _WAD}"
    if health_factor_before not in (None, health):
        return f"the event has a health factor of {health_factor_before}, its position {health}"
    return None


# --- of one action


def health_factor(
    position: Sequence[int],
    prices: Sequence[int],
    units: Sequence[int],
    threshold_bps: Sequence[int],
) -> int | None:
    """Health factor (WAD) of words of claims << 128 | debt, as the built-in market rounds it; None
    without debt. Arguments as in `wrong_liquidation`."""
    collateral = debt = 0
    for word, price, unit, threshold in zip(position, prices, units, threshold_bps, strict=True):
        collateral += (word >> 128) * price // unit * threshold
        debt += -(-(word & _LOW_HALF) * price // unit)
    return collateral * (_WAD // _BPS) // debt if debt else None


def wrong_health(
    *,
    before: Sequence[int],
    after: Sequence[int],
    prices: Sequence[int],
    units: Sequence[int],
    threshold_bps: Sequence[int],
) -> str | None:
    """HLT-1 for an account that borrowed or withdrew: its position without the action, at the same
    time, and with it; otherwise as `wrong_liquidation`."""
    old, new = (health_factor(words, prices, units, threshold_bps) for words in (before, after))
    if new is not None and new < _WAD and (old is None or new < old):
        return f"the account was let down to a health factor of {new / _WAD}"
    return None


def wrong_reserves(before: int, after: int) -> str | None:
    """RES-1 for one asset, base units: the reserves without the action, at the same time, and with
    it."""
    if after < before:
        return f"the reserves went from {before} to {after}: {after - before:+d}"
    return None


# --- O(accounts)


def wrong_scaled_totals(
    words: Iterable[int], *, total_scaled_supply: int, total_scaled_debt: int
) -> str | None:
    """MKT-2 for one asset: ``words`` are scaled claims << 128 | scaled debt of every account."""
    supply = debt = 0
    for word in words:
        supply += word >> 128
        debt += word & _LOW_HALF
    for name, found, total in (
        ("claims", supply, total_scaled_supply),
        ("debts", debt, total_scaled_debt),
    ):
        if found != total:
            return f"the accounts' scaled {name} sum to {found}, the market has {total}"
    return None


def wrong_token_supply(balances: Iterable[int], *, total_supply: int) -> str | None:
    """TOK-1 for one token: the balances of everyone who ever held it."""
    total = sum(balances)
    if total != total_supply:
        return f"the balances sum to {total}, the total supply is {total_supply}"
    return None
