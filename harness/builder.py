"""Block ordering: which waiting orders enter the next block, and in which order.

A block holds orders up to a limit of declared gas. An order whose bid is below the block's
background bid (the price at which traffic from outside fills blocks) waits, and so does one
that no longer fits; an order past its term expires. Nothing is dropped without a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from harness import rng
from harness.errors import plugin
from harness.orders import Order


class BlockOrdering(Protocol):
    """Plug point: the order in which a block builder considers the orders that may enter."""

    def arrange(self, orders: Sequence[Order], seed: int, block: int) -> list[Order]:
        """The same orders, first considered first; may depend on seed and block only."""
        ...


class FeeAuction:
    """Highest bid first; equal bids by a draw that no sender can influence."""

    def arrange(self, orders: Sequence[Order], seed: int, block: int) -> list[Order]:
        return sorted(
            orders,
            key=lambda order: (
                -order.bid,
                rng.draw(seed, "fee-auction", order.agent, block, order.key),
            ),
        )


class RandomOrder:
    """Every order has the same chance of every place, whatever it bids."""

    def arrange(self, orders: Sequence[Order], seed: int, block: int) -> list[Order]:
        return sorted(
            orders,
            key=lambda order: rng.draw(seed, "random-order", order.agent, block, order.key),
        )


class Adversarial:
    """Arbitrage first, then liquidations, then everybody else: the worst order for a market.

    A builder that trades for itself moves the price before it lets liquidators in, and lets
    borrowers who could still save themselves wait behind both.
    """

    RANK: ClassVar[Mapping[str, int]] = {
        "arbitrage": 0,
        "arbitrage_shares": 0,
        "liquidate": 1,
        "liquidate_shares": 1,
        "liquidate_traded_shares": 1,
        "liquidate_perp": 1,
        "seize": 1,
    }

    def arrange(self, orders: Sequence[Order], seed: int, block: int) -> list[Order]:
        return sorted(
            orders,
            key=lambda order: (
                self.RANK.get(order.action, 2),
                -order.bid,
                rng.draw(seed, "adversarial", order.agent, block, order.key),
            ),
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """What the builder did with the orders: each of them is in exactly one of the three.

    ``crowded_out`` counts those that wait only because the block had no room for them.
    """

    included: list[Order]
    waiting: list[Order]
    expired: list[Order]
    crowded_out: int = 0


def select(
    ordering: BlockOrdering,
    orders: Iterable[Order],
    *,
    block: int,
    seed: int,
    gas_limit: int,
    background_bid: int,
    can_pay: Callable[[bytes, int], bool],
    lane: Callable[[Order], str] = lambda _: "",
) -> Selection:
    """Fills one block.

    ``can_pay(sender, fees)`` says whether the sender's fee balance covers the fees of all its
    orders in this block. Orders of one lane share the gas limit; another lane has its own.
    """
    candidates: list[Order] = []
    waiting: list[Order] = []
    expired: list[Order] = []
    for order in orders:
        if order.expires < block:
            expired.append(order)
        elif order.available > block or order.bid < background_bid:
            waiting.append(order)
        else:
            candidates.append(order)
    included: list[Order] = []
    spent: dict[bytes, int] = {}
    free: dict[str, int] = {}
    crowded_out = 0
    for order in _arranged(ordering, candidates, seed, block) if candidates else ():
        sender = order.transaction.sender
        fees = spent.get(sender, 0) + order.fee
        left = free.get(lane(order), gas_limit)
        if order.gas > left or not can_pay(sender, fees):
            crowded_out += order.gas > left
            waiting.append(order)
            continue
        spent[sender] = fees
        free[lane(order)] = left - order.gas
        included.append(order)
    return Selection(included, waiting, expired, crowded_out)


def _arranged(
    ordering: BlockOrdering, orders: Sequence[Order], seed: int, block: int
) -> list[Order]:
    """The orders as an ordering arranges them, which must be all of them, once each."""
    with plugin(f"block ordering {type(ordering).__name__}, for block {block},"):
        arranged = ordering.arrange(orders, seed, block)
        if sorted(map(id, arranged)) != sorted(map(id, orders)):
            raise ValueError("it did not return the orders it was given, once each")
    return arranged


def merge(waiting: Sequence[Order], new: Iterable[Order]) -> list[Order]:
    """Waiting orders together with new ones.

    A new order with the agent and key of a waiting one only raises that one's bid, as a
    replacement in a mempool does; it is not a second order.
    """
    by_key = {(order.agent, order.key): order for order in waiting}
    merged = list(waiting)
    for order in new:
        held = by_key.get((order.agent, order.key))
        if held is None:
            merged.append(order)
            by_key[order.agent, order.key] = order
        elif order.bid > held.bid:
            held.bid = order.bid
    return merged
