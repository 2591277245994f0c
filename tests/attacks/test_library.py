"""Every attack of the library: it succeeds as it was, and fails remedied by the guard it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.attacks import attacks
from harness.engine import ENGINES
from harness.errors import ScenarioError

if TYPE_CHECKING:
    from .conftest import Play

NAMES = sorted(attacks())


@pytest.mark.parametrize("name", NAMES)
def test_as_it_was_the_attacker_gets_what_it_wants(play: Play, name: str) -> None:
    result = play(name)
    assert result.goal.holds, f"{result.goal.check}: {result.goal.found_usd}; {result.guard}"
    assert not all(outcome.holds for outcome in result.checks)
    assert not result.withstood
    assert result.books == {"ATK-1": None, "ATK-2": None}


@pytest.mark.parametrize("name", NAMES)
def test_remedied_the_named_guard_stops_it(play: Play, name: str) -> None:
    result = play(name, remedied=True)
    assert result.guard is not None
    assert result.guard.startswith(result.attack.stopped_by)
    assert not result.goal.holds
    assert [outcome for outcome in result.checks if not outcome.holds] == []
    assert result.books == {"ATK-1": None, "ATK-2": None}
    assert result.withstood
    assert any(step.role == "attacker" for step in result.steps)


@pytest.mark.parametrize("name", ["stuck-feed", "first-depositor"])
def test_py_evm_gives_the_digests_of_revm(play: Play, name: str) -> None:
    for remedied in (False, True):
        one, other = (play(name, remedied, engine) for engine in ("revm", "py-evm"))
        assert one.digest == other.digest
        assert one.guard == other.guard
        assert one.profit_usd == other.profit_usd


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_engine_gives_the_same_digest(play: Play, name: str) -> None:
    engines = [engine for engine in ENGINES if ":" not in engine and engine != "rpc"]
    settings = [False, True]
    if attacks()[name].scenario:  # two passes of a scenario: a minute on py-evm, and one is enough
        engines, settings = ["revm", "py-evm"], [False]
    for remedied in settings:
        results = [play(name, remedied, engine) for engine in engines]
        assert len({result.digest for result in results}) == 1
        assert len({result.guard for result in results}) == 1


def test_another_seed_or_parameter_is_another_digest_only_where_it_matters(play: Play) -> None:
    assert play("spot-oracle").digest != play("spot-oracle", loan_usdc=9_000_000.0).digest


def test_liquidations_that_are_refused_end_the_attack(play: Play) -> None:
    """Steps of nothing leave the position healthy before long, and nobody else makes it worse."""
    result = play("supply-cap", step_btc=0)
    tried = [step.reason is not None for step in result.steps if "liquidate" in step.label]
    assert tried.count(True) == 1
    assert tried[-1]


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("supply-cap", "low_usd"), ("dust-positions", "accounts"), ("mark-manipulation", "peak_usd")],
)
def test_parameters_that_cannot_be_set_up_are_bad_input(
    play: Play, name: str, parameter: str
) -> None:
    with pytest.raises(ScenarioError, match="parameters with which it can be set up") as found:
        play(name, **{parameter: 0})
    assert found.value.field == f"attack {name}"
