"""The largest safe open interest of a perpetual market by three rules; the least of them binds.

Amounts in USD. Source of the rules: Mars Protocol, perps risk framework; the algebra of the second
is written out here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = [
    "OpenInterest",
    "largest_open_interest",
    "manipulation_profit",
    "manipulation_rule",
    "move_rule",
    "share_rule",
]

_STEPS = 400


class OpenInterest(NamedTuple):
    """The three bounds, the least of them, and which one it is."""

    move_usd: float
    manipulation_usd: float
    share_usd: float
    largest_usd: float
    binds: str


def move_rule(vault: float, move: float, *, loss_share: float = 0.30) -> float:
    """Open interest at which the vault, on the other side of all of it, loses 30% in a move.

    move: the extreme move over six hours, as a share of the price
    """
    return loss_share * vault / move


def manipulation_profit(open_interest: float, capital: float, reserve: float) -> float:
    """What pushing the index up with this capital brings on an open interest.

    The index is the spot of a constant product with ``reserve`` of the quote. Buying for C takes
    it to (1 + C/y)^2 of what it was; the tokens bought are worth C / (1 + C/y) once it is back,
    so the push costs C^2 / (y + C).
    """
    raised = (1 + capital / reserve) ** 2 - 1
    return open_interest * raised - capital * capital / (reserve + capital)


def manipulation_rule(
    vault: float, capital: float, reserve: float, *, profit_share: float = 0.10
) -> float:
    """Open interest at which no push with at most this capital brings more than a vault's share.

    The least over pushes of (share x vault + cost) / rise. The best push need not be the largest.
    """
    bounds = []
    for step in range(1, _STEPS + 1):
        push = capital * step / _STEPS
        cost = push * push / (reserve + push)
        bounds.append((profit_share * vault + cost) / ((1 + push / reserve) ** 2 - 1))
    return min(bounds)


def share_rule(whole: float, share: float) -> float:
    """The expert's cap: a share of the market's capitalisation, or of its depth."""
    return share * whole


def largest_open_interest(
    *,
    vault: float,
    move: float,
    capital: float,
    reserve: float,
    whole: float,
    loss_share: float = 0.30,
    profit_share: float = 0.10,
    share: float = 0.05,
) -> OpenInterest:
    """The three rules and the least of them.

    vault: what stands against the traders, USD
    move: the extreme move over six hours, as a share of the price
    capital: what a manipulator can raise, USD
    reserve: quote reserve of the constant product that stands for the index's markets, USD
    whole: capitalisation or depth of which ``share`` is the cap, USD

    Raises ValueError if an amount is not above 0.
    """
    for name, amount in (("vault", vault), ("move", move), ("capital", capital)):
        if not amount > 0 or math.isinf(amount):
            raise ValueError(f"{name} {amount}: above 0")
    if not reserve > 0 or not whole > 0:
        raise ValueError("reserve and whole: above 0")
    by_move = move_rule(vault, move, loss_share=loss_share)
    by_push = manipulation_rule(vault, capital, reserve, profit_share=profit_share)
    by_share = share_rule(whole, share)
    largest, binds = min((by_move, "move"), (by_push, "manipulation"), (by_share, "share"))
    return OpenInterest(by_move, by_push, by_share, largest, binds)
