"""The built-in market behind its adapter, and each planted bug found by random actions."""

from __future__ import annotations

import pytest

from harness.errors import InvariantViolation
from harness.protocols.pooled_adapter import PooledMarketAdapter
from harness.testing.invariants import ACTION_INVARIANTS, INVARIANTS
from harness.testing.protocol_conformance import MakeAdapter, ProtocolConformance
from harness.testing.stateful import search

MUTANTS = [
    ("MKT-1", "MarketForgetsDeficit", "Token"),
    ("MKT-2", "MarketDropsDebtDust", "Token"),
    ("LIQ-1", "MarketLiquidatesHealthy", "Token"),
    ("IDX-1", "MarketLowersIndex", "Token"),
    ("TOK-1", "PooledMarket", "TokenMintsOneMore"),
    ("HLT-1", "MarketLetsDebtorsLeave", "Token"),
    ("RES-1", "MarketLendsDustForFree", "Token"),
    ("PAN-1", "MarketPanicsWithoutCash", "Token"),
]


class TestPooledMarket(ProtocolConformance):
    @pytest.fixture
    def make_adapter(self) -> MakeAdapter:
        return PooledMarketAdapter


@pytest.mark.parametrize(("identifier", "contract", "erc20"), MUTANTS)
def test_each_planted_bug_is_found(identifier: str, contract: str, erc20: str) -> None:
    with pytest.raises(InvariantViolation) as found:
        search(lambda: PooledMarketAdapter(contract), erc20=erc20, shrink=False)
    assert found.value.identifier == identifier


def test_every_invariant_of_lending_has_a_planted_bug() -> None:
    lending = {name for name in INVARIANTS if name.split("-")[0] in ("MKT", "LIQ", "IDX", "TOK")}
    assert {row[0] for row in MUTANTS} == lending | set(ACTION_INVARIANTS)
