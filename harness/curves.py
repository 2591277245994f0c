"""Constant-product curves, as pools and outside markets quote them."""

from __future__ import annotations

from math import isqrt
from typing import NamedTuple

PIPS = 1_000_000


class Hop(NamedTuple):
    """One leg of a trade as a constant-product curve: what it takes, what it pays, its fee."""

    reserve_in: int
    reserve_out: int
    fee_pips: int

    def amount_out(self, amount_in: int) -> int:
        """What the curve pays, rounded down."""
        taken = amount_in * (PIPS - self.fee_pips)
        return taken * self.reserve_out // (self.reserve_in * PIPS + taken)

    def marginal_out(self, amount_in: int) -> int:
        """What it would pay at its current quote if that did not move, rounded down."""
        return amount_in * (PIPS - self.fee_pips) * self.reserve_out // (self.reserve_in * PIPS)

    def input_for(self, amount_out: int) -> int:
        """The most that goes in for so much or less."""
        if amount_out >= self.reserve_out:
            raise ValueError(f"{amount_out} of {self.reserve_out}")
        kept = PIPS - self.fee_pips
        return amount_out * self.reserve_in * PIPS // ((self.reserve_out - amount_out) * kept)

    def best_sale(self, seized: int, repaid: int) -> int:
        """The amount whose sale brings the most over what it costs: ``repaid`` for ``seized``.

        With reserves X (in) and Y (out) of which a share g of the input counts, selling s brings
        g s Y / (X + g s) for s R / S. The profit is greatest at s = (sqrt(g X Y S / R) - X) / g.
        """
        kept = PIPS - self.fee_pips
        root = isqrt(kept * self.reserve_in * self.reserve_out * seized // (repaid * PIPS))
        return max(0, (root - self.reserve_in) * PIPS // kept)

    def then(self, other: Hop) -> Hop:
        """Both curves one after the other, which are one: x a b / (1 + x c), without a fee of its
        own."""
        kept = PIPS - self.fee_pips
        taken = (PIPS - other.fee_pips) * self.reserve_out
        shared = other.reserve_in * PIPS + taken
        return Hop(
            self.reserve_in * other.reserve_in * PIPS * PIPS // (kept * shared),
            taken * other.reserve_out // shared,
            0,
        )

    def further(self, amount_in: int) -> Hop:
        """The curve for what else goes in with the same sale: fees come into it afterwards."""
        kept, paid = PIPS - self.fee_pips, self.amount_out(amount_in)
        return Hop(
            self.reserve_in + amount_in * kept // PIPS, self.reserve_out - paid, self.fee_pips
        )

    def after(self, amount_in: int) -> Hop:
        """The curve as a sale leaves it."""
        paid = self.amount_out(amount_in)
        return Hop(self.reserve_in + amount_in, self.reserve_out - paid, self.fee_pips)


__all__ = ["PIPS", "Hop"]
