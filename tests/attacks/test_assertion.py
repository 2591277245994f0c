"""assert_unprofitable and the fixture attack_run, as a test suite uses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.attacks import AttackResult
from harness.errors import ScenarioError, VacuousRun
from harness.testing.assertions import assert_unprofitable

AttackRun = Callable[..., AttackResult]


def test_a_remedied_attack_passes(attack_run: AttackRun) -> None:
    assert_unprofitable(attack_run("spot-oracle", remedied=True))


def test_a_profitable_one_fails_with_its_first_step_and_the_command(attack_run: AttackRun) -> None:
    result = attack_run("first-depositor", "deposit=8000")
    with pytest.raises(AssertionError) as caught:
        assert_unprofitable(result)
    text = str(caught.value)
    assert "first-depositor gain $2,000.00, $0.00 allowed" in text
    assert "first: block 1, attacker: deposit one base unit" in text
    assert "harness attack first-depositor --set remedied=false --set deposit=8000.0" in text
    assert_unprofitable(result, within_usd=2_000)


def test_an_attack_that_another_guard_stopped_proves_nothing(attack_run: AttackRun) -> None:
    result = attack_run("spot-oracle", remedied=True)
    with pytest.raises(VacuousRun, match="not Locked"):
        assert_unprofitable(replace(result, attack=replace(result.attack, stopped_by="Locked")))
    with pytest.raises(VacuousRun, match="nobody attacked"):
        assert_unprofitable(replace(result, steps=[]))


def test_books_that_do_not_balance_fail(attack_run: AttackRun) -> None:
    result = attack_run("spot-oracle", remedied=True)
    with pytest.raises(AssertionError, match="ATK-1: wrong"):
        assert_unprofitable(replace(result, books={"ATK-1": "wrong"}))


def test_a_session_plays_the_same_attack_once(attack_run: AttackRun) -> None:
    assert attack_run("spot-oracle") is attack_run("spot-oracle")
    assert attack_run("spot-oracle") is not attack_run("spot-oracle", seed=2)


@pytest.mark.parametrize(
    ("name", "setting", "field"),
    [
        ("no-such", "remedied=true", "attack"),
        ("spot-oracle", "loan=1", "--set"),
        ("spot-oracle", "loan_usdc", "--set"),
        ("spot-oracle", "loan_usdc=much", "loan_usdc"),
        ("spot-oracle", "loan_usdc=-1", "loan_usdc"),
        ("spot-oracle", "loan_usdc=inf", "loan_usdc"),
        ("spot-oracle", "loan_usdc=nan", "loan_usdc"),
        ("spot-oracle", "remedied=1", "remedied"),
        ("spot-oracle", "window_s=1.5", "window_s"),
        ("nowhere.py", "remedied=true", "attack"),
    ],
)
def test_bad_input_names_the_field(
    attack_run: AttackRun, name: str, setting: str, field: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        attack_run(name, setting)
    assert caught.value.field == field
