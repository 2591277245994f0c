"""Searching and driving: reproducible, isolated, and never passing by doing nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from harness.accounts import account
from harness.engine import Engine, Transaction, default_engine_name, open_engine
from harness.errors import InvariantViolation, Reverted, ScenarioError, VacuousRun
from harness.protocols.base import Action, AssetBooks
from harness.protocols.pooled_adapter import PooledMarketAdapter
from harness.testing.lending import AssetSpec, LendingMarket
from harness.testing.stateful import LendingMachine, search

ETHER = 10**18
FEW = {"sequences": 60, "steps": 15}


class Deaf(PooledMarketAdapter):
    """Offers nothing but supplying."""

    def act(self, action: Action) -> Transaction | None:
        return super().act(action) if action.kind == "supply" else None


class Wasteful(PooledMarketAdapter):
    """Says that its collateral counts for nothing."""

    def books(self, engine: Engine) -> Sequence[AssetBooks]:
        return [book._replace(threshold_bps=1) for book in super().books(engine)]


@pytest.fixture
def lending() -> Iterator[LendingMarket]:
    engine = open_engine("revm")
    yield LendingMarket(engine, PooledMarketAdapter())
    engine.close()


def lend(lending: LendingMarket) -> None:
    lending.supply("bank", "USDC", 10**12)
    lending.supply("alice", "ETH", 10 * ETHER)
    lending.borrow("alice", "USDC", 15_000 * 10**6)


# The search


def test_same_seed_does_the_same() -> None:
    first = search(PooledMarketAdapter, seed=3, **FEW)
    assert search(PooledMarketAdapter, seed=3, **FEW) == first
    assert search(PooledMarketAdapter, seed=4, **FEW) != first
    assert {"supply", "borrow", "liquidate"} <= set(first.done)
    assert first.refused["liquidate"]


def test_same_seed_finds_the_same_sequence() -> None:
    notes = []
    for _ in range(2):
        with pytest.raises(InvariantViolation) as found:
            search(lambda: PooledMarketAdapter("MarketDropsDebtDust"), seed=1, shrink=False)
        notes.append((str(found.value), found.value.__notes__))
    assert notes[0] == notes[1]
    assert notes[0][1][-1] == f"found with seed 1 on {default_engine_name()}"
    assert any(line.startswith("state.borrow(") for line in notes[0][1])


def test_found_sequence_is_made_short() -> None:
    with pytest.raises(InvariantViolation, match="MKT-2") as found:
        search(lambda: PooledMarketAdapter("MarketDropsDebtDust"))
    steps = [line for line in found.value.__notes__ if line.startswith("state.")]
    assert 2 <= len(steps) <= 5


def test_a_protocol_that_refuses_everything_proves_nothing() -> None:
    with pytest.raises(VacuousRun, match=r"no borrow was ever accepted, and \d+"):
        search(Deaf, **FEW)


def test_a_search_that_never_liquidates_proves_nothing() -> None:
    with pytest.raises(VacuousRun, match="no liquidate was ever accepted"):
        search(PooledMarketAdapter, sequences=3, steps=1)


def test_adapter_with_the_wrong_threshold_is_found() -> None:
    with pytest.raises(InvariantViolation, match="HLT-1"):
        search(Wasteful, shrink=False)


def test_what_a_protocol_does_not_promise_is_waived() -> None:
    def make() -> PooledMarketAdapter:
        return PooledMarketAdapter("MarketLowersIndex")

    with pytest.raises(InvariantViolation, match="IDX-1"):
        search(make, shrink=False)
    search(make, waived=["IDX-1"], sequences=60)


def test_a_subclass_adds_actions() -> None:
    class Crash(LendingMachine):
        @rule(percent=st.sampled_from([50, 20]))
        def crash(self, percent: int) -> None:
            """Both prices fall at once."""
            for spec in self.market.assets:
                self.market.price(spec.symbol, spec.price_usd * percent / 100)
            type(self).crashes += 1

        crashes = 0

    search(PooledMarketAdapter, machine=Crash, **FEW)


def test_other_engines_do_the_same() -> None:
    options = {"seed": 3, "sequences": 2, "steps": 6}
    outcomes = []
    for engine in ("revm", "py-evm"):
        try:
            outcomes.append(search(PooledMarketAdapter, engine=engine, **options))
        except VacuousRun as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


# By hand


def test_every_action_is_checked() -> None:
    engine = open_engine("revm")
    lending = LendingMarket(engine, PooledMarketAdapter("MarketDropsDebtDust"))
    lending.supply("bank", "USDC", 10**12)
    lending.supply("alice", "ETH", 10 * ETHER)
    with pytest.raises(InvariantViolation) as found:
        lending.borrow("alice", "USDC", 7)
    assert (found.value.identifier, found.value.block) == ("MKT-2", lending.number)
    with lending.unchecked():
        lending.borrow("alice", "USDC", 7)
    with pytest.raises(InvariantViolation, match="MKT-2"):
        lending.wait(1)
    engine.close()


def test_liquidation_of_a_healthy_account_names_it() -> None:
    engine = open_engine("revm")
    lending = LendingMarket(engine, PooledMarketAdapter("MarketLiquidatesHealthy"))
    lend(lending)
    lending.price("ETH", 1_800)
    assert 1 < lending.health("alice") < 1.05
    with pytest.raises(InvariantViolation, match=r"LIQ-1 .* alice: .* health factor of 1\.0"):
        lending.liquidate("alice", "ETH", "USDC")
    engine.close()


def test_anchors_nest_and_undo_prices_time_and_accounts(lending: LendingMarket) -> None:
    lend(lending)
    before = (lending.number, lending.now, lending.names, lending.health("alice"))
    with lending.anchor():
        lending.price("ETH", 1_900)
        with lending.anchor():
            lending.supply("stranger", "ETH", ETHER)
            lending.wait(10**6)
            assert "stranger" in lending.names
        assert lending.price_of("ETH") == 1_900
        assert lending.position("stranger")["ETH"].claims == 0
    assert before == (lending.number, lending.now, lending.names, lending.health("alice"))
    lending.repay("alice", "USDC")


def test_refused_action_says_why_and_costs_a_block(lending: LendingMarket) -> None:
    number = lending.number
    with pytest.raises(Reverted, match="InsufficientClaims"):
        lending.withdraw("alice", "ETH", ETHER)
    assert lending.number == number + 1
    lending.supply("alice", "ETH", ETHER)


def test_health_and_room_are_those_of_the_market(lending: LendingMarket) -> None:
    lend(lending)
    market = lending.adapter.market
    who = account("alice").address
    exact = market.read(lending.engine, "healthFactor", who)
    assert lending.health("alice") == pytest.approx(exact / ETHER, rel=1e-12)
    assert lending.weakest() == ("alice", lending.health("alice"))
    assert lending.largest("alice") == (1, 0)
    assert lending.room("alice", "USDC") == pytest.approx(2_000 * 10**6, rel=1e-6)
    assert lending.room("bob", "USDC") == 0


def test_other_assets_can_be_listed() -> None:
    engine = open_engine("revm")
    assets = [AssetSpec("WBTC", 8, 40_000), AssetSpec("DAI", 18, 1), AssetSpec("ETH", 18, 2_000)]
    lending = LendingMarket(engine, PooledMarketAdapter(), assets=assets)
    lending.supply("bank", "DAI", 10**6 * ETHER)
    lending.supply("alice", "WBTC", 10**8)
    lending.borrow("alice", "DAI", 30_000 * ETHER)
    assert lending.health("alice") == pytest.approx(40_000 * 0.85 / 30_000)
    assert lending.usd("WBTC", 10**8) == 40_000
    engine.close()


def test_unknown_invariant_cannot_be_waived() -> None:
    engine = open_engine("revm")
    with pytest.raises(ScenarioError, match="waived = 'MKT-9': one of MKT-1"):
        LendingMarket(engine, PooledMarketAdapter(), waived=["MKT-9"])
    engine.close()
