"""An attack inside a scenario: its script shares the block loop with everybody else."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.attacks import Attack, Check, Parameters, Stage, load_attack
from harness.attacks import play as play_attack
from harness.attacks.calls import transfer
from harness.attacks.command import failures
from harness.run import run
from harness.scenario import load_scenario

if TYPE_CHECKING:
    from .conftest import Play


def _pay_a_coin(stage: Stage, p: Parameters) -> Generator[int | None, None, None]:
    """The smallest attack: one order in the third block."""
    token = stage.tokens["USDC"]
    attacker, victim = stage.actor("attacker", USDC=10), stage.actor("victim", "victim")
    stage.deposit_fees(attacker, 1)
    yield 2
    stage.send("pay", attacker, transfer(token, victim, 4 * 10**6))
    yield None


@pytest.mark.parametrize(
    "scenario", ["shared-collateral", "cross-margin-contagion", "shares-below-worth"]
)
def test_any_scenario_can_be_attacked_and_its_books_balance(scenario: str) -> None:
    attack = Attack(
        name="coin",
        title="a coin changes hands",
        sources=(),
        play=_pay_a_coin,
        parameters=Parameters(),
        remedy="",
        stopped_by="",
        protocol=(Check("profit", at_most=0),),
        goal=lambda _: Check("profit", at_least=1),
        scenario=scenario,
        settings=lambda _: ("clock.blocks=8",),
    )
    result = play_attack(attack)
    assert result.books == {"ATK-1": None, "ATK-2": None}
    assert result.tokens == {"USDC": -4 * 10**6}
    assert result.losses_usd["victim"] < 0
    assert result.profit_usd < result.losses_usd["victim"]  # the fee
    assert [step.block for step in result.steps] == [3]


def test_the_damage_is_what_the_same_run_has_more_than_without_the_attack(play: Play) -> None:
    result = play("block-stuffing")
    attack = load_attack("block-stuffing")
    alone = run(load_scenario("calm", attack.settings(attack.parameters)), 0)
    insolvency = alone.summary["solvency"]["insolvency_usd"]
    # that is at the prices of each loss, this at the last ones of a market that stays where it fell
    assert abs(result.measures["insolvency_without_attack_usd"] - insolvency) < 0.05 * insolvency
    assert result.insolvency_usd["aave"] > insolvency
    assert alone.summary["liquidations"]["count"] > 10


def test_every_stuffed_block_is_paid_for(play: Play) -> None:
    result = play("block-stuffing")
    stuffed = [step for step in result.steps if step.label == "fill the block"]
    assert [step.block for step in stuffed] == list(range(21, 51))
    spent = 30 * 6_000_000 * 200 / 10**9  # ETH, all that was deposited
    lowest, highest = spent * 99, spent * 200  # the price falls from 200 to 100 meanwhile
    assert lowest <= result.fees_usd <= highest


def test_the_remedy_is_another_run(play: Play) -> None:
    assert play("block-stuffing").digest != play("block-stuffing", remedied=True).digest


def test_an_attack_whose_orders_never_fit_in_proves_nothing() -> None:
    def script(stage: Stage, p: Parameters) -> Generator[int | None, None, None]:
        attacker = stage.actor("attacker")  # without a deposit for fees
        yield 1
        stage.send("pay", attacker, transfer(stage.tokens["ETH"], attacker, 0))
        yield None

    attack = replace(
        load_attack("block-stuffing"),
        play=script,
        settings=lambda _: ("clock.blocks=6",),
        protocol=(),
        stopped_by="",
    )
    result = play_attack(attack)
    assert result.steps == []
    assert result.vacuous
    assert not result.withstood
    assert failures(result) == ["nothing was attacked: no transaction was executed"]
