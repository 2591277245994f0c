"""Terms of perpetual exchanges under test, and how their contracts pack words."""

from __future__ import annotations

from typing import Any

WAD, RAY, BPS = 10**18, 10**27, 10_000
NO_CAP = (1 << 128) - 1

RISK = {
    "withdraw_floor": 0,
    "withdraw_profit": True,
    "backstop": 0,
    "fee_vault": 6_000,
    "fee_insurance": 3_000,
    "keeper_fee": 0,
    "vault_floor": 0,
    "vault_lock": 0,
}
"""An exchange's rules with guards and keeper fees off, in the order the contract takes them."""


def without_frictions(feed: bytes) -> dict[str, Any]:
    """A market: no fees, premium, funding, skew price, caps or guards, in the contract's order."""
    return {
        "feed": feed,
        "max_age": 0,
        "min_answer": 0,
        "max_answer": (1 << 127) - 1,
        "skew_scale": 10**38,
        "long_cap": NO_CAP,
        "short_cap": NO_CAP,
        "maker_fee": 0,
        "taker_fee": 0,
        "premium_bound": 0,
        "premium_decay": RAY,
        "funding_slope": 0,
        "interest": 0,
        "funding_cap": WAD,
        "liquidation_fee": 0,
        "liquidator_share": 5_000,
        "cooldown": 30,
        "partial_steps": 0,
        "step_window": 3_600,
        "band": 0,
        "band_decay": RAY,
        "volatility_target": 0,
        "volatility_decay": RAY,
        "open_interest_slope": 0,
        "scale_cap": 3 * BPS,
    }


def halves(word: int) -> tuple[int, int]:
    """The signed halves of a word."""
    high, low = word >> 128, word & NO_CAP
    return high - (1 << 128) if high >> 127 else high, low - (1 << 128) if low >> 127 else low
