"""The pawn shop passes its own unit test, and random actions find what that misses."""

import pytest
from pawn_shop import PawnShopAdapter

from harness.errors import InvariantViolation
from harness.testing.protocol_conformance import ProtocolConformance
from harness.testing.stateful import search


class FixedAdapter(PawnShopAdapter):
    contract = "PawnShopFixed"


class TestFixed(ProtocolConformance):
    """With the missing line everything holds."""

    @pytest.fixture
    def make_adapter(self):
        return FixedAdapter


class TestAsWritten:
    """Without it one customer after the other is served correctly."""

    @pytest.fixture
    def lending_adapter(self):
        return PawnShopAdapter

    def test_customer_is_liquidated(self, market):
        market.supply("bank", "USDC", 1_000_000 * 10**6)
        market.supply("alice", "ETH", 10 * 10**18)
        market.borrow("alice", "USDC", 15_000 * 10**6)
        market.repay("alice", "USDC", 1_000 * 10**6)
        market.price("ETH", 1_700)
        market.liquidate("alice", "ETH", "USDC")
        assert market.position("alice")["USDC"].debt == 0

    def test_bug_is_found(self):
        with pytest.raises(InvariantViolation, match="RES-1|IDX-1") as found:
            search(PawnShopAdapter)
        print(*found.value.__notes__, sep="\n")
