"""Spot trades of those who hedge perpetuals, through the router of forced trades."""

from __future__ import annotations

from harness.curves import PIPS, Hop
from harness.protocols.perp_exchange import PerpVenue
from harness.view import View
from harness.world import World


def input_for(hop: Hop, wanted: int, *, cut: bool) -> int:
    """What must be sold on a curve to receive ``wanted``, rounded up; at the current quote where
    the sink fills trades (``cut``). At most half of the reserve can be had."""
    kept = PIPS - hop.fee_pips
    out = min(wanted, hop.reserve_out // 2)
    if cut:
        return -(-out * hop.reserve_in * PIPS // (hop.reserve_out * kept))
    return hop.reserve_in * out * PIPS // ((hop.reserve_out - out) * kept) + 1


def sale(
    world: World, venue: PerpVenue, sender: bytes, sold: str, bought: str, amount: int
) -> bytes:
    """Call data of a forced trade of which this exchange is the origin."""
    tokens = world.tokens
    return world.router.encode(
        "sell",
        venue.exchange.address,
        sender,
        tokens[sold].address,
        tokens[bought].address,
        amount,
        0,
        sender,
    )


def worth_usd(view: View, symbol: str, amount: int) -> int:
    """USD WAD of an amount at the outside price."""
    return view.usd_wad(symbol, abs(amount))
