"""Which links there are between the venues of a deployed scenario.

A link that is not there can be cut all the same; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.cross_margin import is_cross
from harness.cuts import CHANNELS, Channel, Link
from harness.lending_pairs import shared_positions
from harness.scenario import Lender, Liquidator, Scenario
from harness.world import World


def links_of(scenario: Scenario, world: World) -> tuple[Link, ...]:
    """The links of a scenario, by channel and then in the order of its venues."""
    found = set(_links(scenario, world))
    return tuple(
        Link(venue, channel)
        for channel in CHANNELS
        for venue in (*world.venues, *world.exchanges)
        if (venue, channel) in found
    )


def _links(scenario: Scenario, world: World) -> Iterator[tuple[str, Channel]]:
    pairs = [{pool.base, pool.quote} for pool in world.pools.values()]
    traded = {name: set(venue.assets) for name, venue in world.venues.items()}
    traded |= {name: set(exchange.symbols()) for name, exchange in world.exchanges.items()}
    for name, assets in traded.items():
        # shares are redeemed, and what that brings may be sold in a pool of their asset
        if any(pair <= assets for pair in pairs) or not assets.isdisjoint(world.vault_of):
            yield name, "price"
        if world.relays.get(name):
            yield name, "oracle"
        if len(traded) > 1:
            yield name, "block-space"
    for spec in scenario.agents_of(Liquidator):
        if spec.further_venues:
            yield from ((venue, "liquidator") for venue in spec.serves)
    for lender in scenario.agents_of(Lender):
        if len(lender.venues) > 1:
            yield from ((venue, "lender") for venue in lender.venues)
    listed = {symbol for venue in world.venues.values() for symbol in venue.assets}
    for vault in world.vaults.values():
        if vault.spec.share in listed or len(vault.markets) > 1:
            yield from ((venue, "claims") for venue in vault.markets)
    places: dict[bytes, list[tuple[str, bool]]] = {}
    for name, venue in world.venues.items():
        for owner, position in zip(venue.accounts, venue.positions, strict=True):
            places.setdefault(owner, []).append((name, position.action == "move"))
    for held in places.values():
        if len(held) > 1 and any(moves for _, moves in held):
            yield from ((name, "holder") for name, _ in held)
    for name, exchange in world.exchanges.items():
        answers = {(trader.answer, trader.lender) for trader in exchange.traders}
        if any(answer in ("sell", "borrow") for answer, _ in answers):
            yield name, "holder"
        yield from ((lender, "holder") for answer, lender in answers if answer == "borrow")
        if any(is_cross(held) for trader in exchange.traders for held in trader.accounts):
            yield name, "cross-margin"
    for name, venue in world.venues.items():
        if shared_positions(world, venue):
            yield name, "cross-margin"
