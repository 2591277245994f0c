"""The pawn shop serves a customer correctly, and random actions find what is wrong with it.

pytest -s scripts/examples/own_lending_market
"""

import pytest
from pawn_shop import PawnShopAdapter

from harness.errors import InvariantViolation
from harness.testing.protocol_conformance import ProtocolConformance
from harness.testing.stateful import search


class FixedAdapter(PawnShopAdapter):
    contract = "PawnShopFixed"


@pytest.fixture
def lending_adapter():
    return PawnShopAdapter


def test_customer_is_served_and_liquidated(market):
    market.supply("bank", "USDC", 1_000_000 * 10**6)
    market.supply("alice", "ETH", 10 * 10**18)
    market.borrow("alice", "USDC", 15_000 * 10**6)
    market.wait(365 * 24 * 3600)
    assert market.position("alice")["USDC"].debt == pytest.approx(16_500 * 10**6, rel=1e-6)
    market.repay("alice", "USDC", 1_500 * 10**6)
    market.price("ETH", 1_800)
    assert market.health("alice") < 1
    with market.unchecked():
        market.liquidate("alice", "ETH", "USDC")
    assert market.position("alice")["USDC"].debt == 0


def test_random_actions_find_the_missing_line():
    with pytest.raises(InvariantViolation) as found:
        search(PawnShopAdapter)
    print(found.value, *found.value.__notes__, sep="\n")


class TestFixed(ProtocolConformance):
    @pytest.fixture
    def make_adapter(self):
        return FixedAdapter
