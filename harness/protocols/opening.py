"""Opening the positions of a lending market, whichever kind it is."""

from __future__ import annotations

from collections.abc import Callable

from harness.contracts import Contract
from harness.people import OUTSIDE
from harness.protocols.pooled_lending import PooledLendingVenue, address_of
from harness.setup import Setup


def open_positions(
    setup: Setup,
    venue: PooledLendingVenue,
    *,
    mint: Callable[[str, bytes, int], None],
    approve: Callable[[str, bytes, Contract], None],
    seeder: bytes,
) -> None:
    """Supplies and borrows what every account of a market starts with, and gives it what it will
    answer calls with. ``seeder`` pays for what is supplied, and has approved the market."""
    market = venue.market
    for position in venue.positions:
        owner = address_of(position)
        for symbol, amount in position.supplied:
            setup.call(seeder, market, venue.supply_call(symbol, amount, owner))
        for symbol, amount in position.borrowed:
            setup.call(owner, market, venue.borrow_call(symbol, amount, owner, OUTSIDE))
        for symbol, amount in position.cash:
            mint(symbol, owner, amount)
            approve(symbol, owner, market)
        if position.action == "deleverage":
            setup.send(owner, market, "setOperator", venue.deleverager.address, True)
        if position.action == "move":
            for symbol, _ in position.supplied:
                approve(symbol, owner, market)
