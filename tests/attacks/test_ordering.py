"""The builder on an attacker's side passes the kit, and moves only what it is asked to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.attacks.campaign import Favouring
from harness.builder import FeeAuction
from harness.testing.ordering_conformance import (
    MakeOrdering,
    OrderingConformance,
    some_orders,
)


class TestFavouring(OrderingConformance):
    @pytest.fixture
    def make_ordering(self) -> MakeOrdering:
        return Favouring


def test_orders_placed_first_and_last_are_and_the_rest_go_by_fee() -> None:
    rest = next(orders for orders in map(some_orders, range(20)) if len(orders) > 5)
    first = replace(rest[0], key="first", action="attack-first", bid=0)
    last = replace(rest[0], key="last", action="attack-last", bid=10**15)
    arranged = Favouring().arrange([last, *rest, first], 1, 7)
    assert [arranged[0].key, arranged[-1].key] == ["first", "last"]
    assert arranged[1:-1] == FeeAuction().arrange(rest, 1, 7)
