"""Leaving shares of a vault that a pool trades against the vault's asset, as ShareRouter does it.

The pool takes them as long as its marginal price is above what a share is worth, the vault redeems
the others as far as it can pay, and the pool takes what is left. That is a curve: it pays ever less
for a further share, so what a sale brings over its cost has one highest point.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.curves import Hop

#: Reserves of any pool are below this.
_MORE_THAN_ANY = 1 << 112


class ShareExit(NamedTuple):
    """Two ways out of shares.

    Attributes:
        assets, shares: all that the vault has, and all its shares: what one is worth
        redeemable: shares that the vault could pay for now
        pool: the curve for selling shares for the vault's asset
        onward: the curve on which that is sold on for what is asked for; None if it is that
    """

    assets: int
    shares: int
    redeemable: int
    pool: Hop
    onward: Hop | None = None

    def sold_above_worth(self) -> int:
        """Shares after whose sale the pool's marginal price is what a share is worth."""
        if not self.assets:
            return _MORE_THAN_ANY
        return self.pool.best_sale(self.shares, self.assets)

    def redeemed(self, amount: int) -> int:
        """What of a sale is redeemed."""
        return max(0, min(amount, self.redeemable, amount - self.sold_above_worth()))

    def amount_out(self, amount: int) -> int:
        """What a sale brings, rounded down."""
        redeemed = self.redeemed(amount)
        paid = self._worth(redeemed) + self.pool.amount_out(amount - redeemed)
        return paid if self.onward is None else self.onward.amount_out(paid)

    def marginal_out(self, amount: int) -> int:
        """What it would bring at the quotes as they are, if those did not move."""
        redeemed = 0 if self.sold_above_worth() else min(amount, self.redeemable)
        paid = self._worth(redeemed) + self.pool.marginal_out(amount - redeemed)
        return paid if self.onward is None else self.onward.marginal_out(paid)

    def best_sale(self, seized: int, repaid: int) -> int:
        """The amount whose sale brings the most over what its seizure costs: what each way brings
        for a further share falls from one to the next."""
        if self.onward is None:
            costs_less = self.assets * seized > repaid * self.shares
            return self.pool.best_sale(seized, repaid) + (self.redeemable if costs_less else 0)
        turn = self.sold_above_worth()
        first = self.pool.then(self.onward).best_sale(seized, repaid)
        if first < turn:
            return first
        onward = self.onward.further(self.pool.amount_out(turn))
        in_shares = onward._replace(reserve_in=-(-onward.reserve_in * self.shares // self.assets))
        redeemed = min(self.redeemable, in_shares.best_sale(seized, repaid))
        if redeemed < self.redeemable:
            return turn + redeemed
        onward = onward.further(self._worth(redeemed))
        return turn + redeemed + self.pool.further(turn).then(onward).best_sale(seized, repaid)

    def after(self, amount: int) -> ShareExit:
        """The ways out that a sale leaves to the next."""
        redeemed = self.redeemed(amount)
        paid = self._worth(redeemed) + self.pool.amount_out(amount - redeemed)
        return self._replace(
            assets=self.assets - self._worth(redeemed),
            shares=self.shares - redeemed,
            redeemable=self.redeemable - redeemed,
            pool=self.pool.after(amount - redeemed),
            onward=None if self.onward is None else self.onward.after(paid),
        )

    def _worth(self, shares: int) -> int:
        return shares * self.assets // self.shares if shares else 0


__all__ = ["ShareExit"]
