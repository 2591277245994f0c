"""An attack inside a scenario: its script shares the block loop with everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.attacks import load_attack
from harness.run import run
from harness.scenario import load_scenario

if TYPE_CHECKING:
    from .conftest import Play


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
