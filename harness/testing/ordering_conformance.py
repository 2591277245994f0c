"""Conformance kit for block orderings.

Subclass it and say how to make one:

    class TestMyOrdering(OrderingConformance):
        @pytest.fixture
        def make_ordering(self):
            return MyOrdering
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness.builder import BlockOrdering
from harness.engine.base import Transaction
from harness.orders import DECLARED_GAS, Order

__all__ = ["MakeOrdering", "OrderingConformance", "some_orders"]

MakeOrdering = Callable[[], BlockOrdering]


def some_orders(number: int) -> list[Order]:
    """A block's offer, another for each number: agents with several matters, bids that are equal,
    zero and large, orders that have waited and that have not."""
    draw = random.Random(number)
    actions = sorted(DECLARED_GAS)
    orders = []
    for place in range(draw.choice([0, 1, 2, 7, 40])):
        agent = draw.choice(["anna", "ben", "carl"])
        action = draw.choice(actions)
        observed = draw.randrange(5)
        orders.append(
            Order(
                transaction=Transaction(
                    agent.encode().ljust(20, b"\0"), b"\xaa" * 20, place.to_bytes(4, "big")
                ),
                action=action,
                agent=agent,
                key=str(place),
                gas=DECLARED_GAS[action],
                bid=draw.choice([0, 1, 5 * 10**9, 10**12]),
                observed=observed,
                available=observed + 1,
                expires=observed + 9,
            )
        )
    return orders


class OrderingConformance:
    """What the block builder relies on in an ordering."""

    OFFERS = range(30)

    @pytest.fixture
    def make_ordering(self) -> MakeOrdering:
        raise NotImplementedError

    def test_it_returns_every_order_once(self, make_ordering: MakeOrdering) -> None:
        for number in self.OFFERS:
            orders = some_orders(number)
            arranged = make_ordering().arrange(orders, 1, number)
            assert sorted(map(id, arranged)) == sorted(map(id, orders))

    def test_it_changes_no_order_and_not_the_offer(self, make_ordering: MakeOrdering) -> None:
        for number in self.OFFERS:
            orders = some_orders(number)
            kept = list(orders)
            copies = [replace(order) for order in orders]
            make_ordering().arrange(orders, 1, number)
            assert list(map(id, orders)) == list(map(id, kept))
            assert orders == copies

    def test_it_depends_on_orders_seed_and_block_only(self, make_ordering: MakeOrdering) -> None:
        """Neither on what it was asked before, nor on a shared random stream."""
        experienced = make_ordering()
        for number in self.OFFERS:
            random.seed(number)
            np.random.seed(number)  # noqa: NPY002 - the global stream that must not matter
            orders = some_orders(number)
            first = experienced.arrange(orders, 3, number)
            experienced.arrange(some_orders(number + 1), 3, number + 1)
            random.seed(0)
            assert experienced.arrange(orders, 3, number) == first
            assert make_ordering().arrange(orders, 3, number) == first

    def test_it_draws_from_no_shared_stream(self, make_ordering: MakeOrdering) -> None:
        before = random.getstate()
        for number in self.OFFERS:
            make_ordering().arrange(some_orders(number), 1, number)
        assert random.getstate() == before
