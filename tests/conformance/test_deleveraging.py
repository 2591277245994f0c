"""The conformance kit for deleveraging policies: on those built in, and on planted bugs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from harness.contracts import Artifact, Contract
from harness.engine import default_engine
from harness.scenario import ClearingHouse
from harness.setup import Setup
from harness.testing.default_round import DefaultMarket
from harness.testing.deleveraging_conformance import DeleveragingConformance, Rounds


class TestHyperliquidQueue(DeleveragingConformance):
    policy = "hyperliquid-queue"


class TestBitmexQueue(DeleveragingConformance):
    policy = "bitmex-queue"


class TestBankruptcyPrice(DeleveragingConformance):
    policy = "bankruptcy-price"


class TestProRata(DeleveragingConformance):
    policy = "pro-rata"
    equal_treatment = True


class TestCappedProRata(DeleveragingConformance):
    policy = "pro-rata"
    fields: ClassVar[dict[str, Any]] = {"cap_bps": 2_500}
    equal_treatment = True


class TestProRataByNotional(DeleveragingConformance):
    policy = "pro-rata-notional"
    equal_treatment = True


class TestHalfSeverity(DeleveragingConformance):
    policy = "bitmex-queue"
    fields: ClassVar[dict[str, Any]] = {"severity_bps": 5_000}


class TestHalfSeverityAtThePrice(DeleveragingConformance):
    policy = "bankruptcy-price"
    fields: ClassVar[dict[str, Any]] = {"severity_bps": 5_000}


# --- planted bugs -------------------------------------------------------------------------------


class Outside:
    """A policy from outside: the contract of its name."""

    def deploy(self, setup: Setup, house: ClearingHouse) -> Contract:
        return setup.deploy(type(self).__name__)


class PolicyForgetsShorts(Outside): ...


class PolicyRanksByClock(Outside): ...


class PolicyPaysByBlock(Outside): ...


class PolicyCapsAboveWealth(Outside): ...


class PolicyPaysBeyondCap(Outside): ...


class PolicyClosesTooMuch(Outside): ...


class PolicySparesHalf(Outside): ...


class PolicyPaysTwice(Outside): ...


class PolicyDividesByCost(Outside): ...


class ProRataByPlace(Outside):
    def deploy(self, setup: Setup, house: ClearingHouse) -> Contract:
        return setup.deploy("ProRataByPlace", False, house.cap_bps)


PLANTED = {
    PolicyDividesByCost: "test_no_winner_is_refused",
    PolicyForgetsShorts: "test_every_winner_has_a_place_in_line",
    PolicyRanksByClock: "test_time_and_caller_do_not_matter",
    PolicyPaysByBlock: "test_what_calls_are_cut_into_does_not_matter",
    PolicyCapsAboveWealth: "test_cap_is_at_most_what_the_account_can_lose",
    PolicyPaysBeyondCap: "test_nobody_is_asked_for_more_than_its_cap_or_the_loss",
    PolicySparesHalf: "test_loss_is_paid_as_far_as_caps_go",
    PolicyPaysTwice: "test_loss_is_not_paid_twice",
    ProRataByPlace: "test_equal_accounts_pay_the_same",
    PolicyClosesTooMuch: "test_nobody_is_closed_beyond_its_position",
}

#: what policies cannot break, planted in the contracts around them: which, where, by which policy
PLANTED_AROUND = {
    "test_order_in_which_a_keeper_lists_does_not_matter": (
        "ClearingHouse",
        "ClearingTakesAnyOrder",
        "bitmex-queue",
    ),
    "test_nobody_pays_more_than_its_profit_and_is_left_below_zero": (
        "ClearingHouse",
        "ClearingOvercharges",
        "bankruptcy-price",
    ),
    "test_what_an_account_loses_is_what_it_is_said_to_pay": (
        "ClearingHouse",
        "ClearingChargesFirst",
        "pro-rata",
    ),
    "test_what_is_closed_of_winners_is_closed_of_those_in_default": (
        "ClearingHouse",
        "ClearingCountsTwice",
        "hyperliquid-queue",
    ),
    "test_deficit_left_is_the_loss_less_what_was_paid": (
        "ClearingHouse",
        "ClearingForgivesOne",
        "hyperliquid-queue",
    ),
    "test_exchange_adds_up_to_the_wei": ("PerpExchange", "PerpCreditsOneMore", "pro-rata"),
}


class Kit(DeleveragingConformance):
    equal_treatment = True


@pytest.fixture
def rounds_of() -> Iterator[Any]:
    """Rounds by a policy, on an engine that is closed at the end."""
    engines = []

    def make(policy: str) -> Rounds:
        engines.append(default_engine())
        return Rounds(DefaultMarket(engines[-1], policy), Kit.seeds)

    yield make
    for engine in engines:
        engine.close()


@pytest.mark.parametrize("planted", PLANTED)
def test_the_kit_finds_the_planted_bug(planted: type[Outside], rounds_of: Any) -> None:
    rounds = rounds_of(f"{__name__}:{planted.__name__}")
    with pytest.raises((AssertionError, pytest.fail.Exception)) as found:
        getattr(Kit(), PLANTED[planted])(rounds)
    print(str(found.value)[:500])


@pytest.mark.parametrize("check", PLANTED_AROUND)
def test_the_kit_finds_the_bug_planted_around_a_policy(
    check: str, rounds_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, planted, policy = PLANTED_AROUND[check]
    deploy = Setup.deploy

    def planting(self: Setup, name: str, *args: Any, compiled: Artifact | None = None) -> Contract:
        return deploy(self, planted if name == sound else name, *args, compiled=compiled)

    monkeypatch.setattr(Setup, "deploy", planting)
    rounds = rounds_of(policy)
    with pytest.raises(AssertionError) as found:
        getattr(Kit(), check)(rounds)
    print(str(found.value)[:500])


def test_every_check_has_a_planted_bug() -> None:
    checks = {name for name in vars(DeleveragingConformance) if name.startswith("test_")}
    assert {*PLANTED.values(), *PLANTED_AROUND} == checks
