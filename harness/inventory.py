"""Whose sale is it? Inventories of liquidators who keep what they seize, first in, first out.

Each sale is divided among the liquidations it sells the collateral of, in the order in which they
happened: their ``proceeds`` grow by their part, what is left of each is its ``unsold``.
"""

from __future__ import annotations

from collections import deque

from harness.trace import LiquidationRow


class Inventories:
    """What every such liquidator holds, by agent and asset."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], deque[tuple[int, LiquidationRow]]] = {}

    def bought(self, place: int, row: LiquidationRow) -> None:
        """Takes in a liquidation whose collateral is kept; ``place``: among the run's, from 1."""
        row.unsold = row.seized
        self._held.setdefault((row.liquidator, row.collateral), deque()).append((place, row))

    def sold(self, agent: str, asset: str, amount: int, proceeds: int) -> int:
        """Divides a sale; the place of the liquidation it began with, 0 where nothing was kept.

        Parts are rounded down, and the last liquidation gets the rest.
        """
        held = self._held.get((agent, asset), deque())
        first = held[0][0] if held else 0
        left, paid = amount, 0
        while held and left:
            row = held[0][1]
            part = min(left, row.unsold)
            left -= part
            row.unsold -= part
            share = proceeds - paid if not left else proceeds * part // amount
            row.proceeds += share
            paid += share
            if not row.unsold:
                held.popleft()
        return first


__all__ = ["Inventories"]
