"""What a script can say: atomic steps, callbacks, order within blocks, waiting, fees, books."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from harness.attacks import Attack, Check, Parameters, Stage, call
from harness.attacks import play as play_attack
from harness.attacks.calls import all_of, allowed_to_fail, flash_loan, supply, transfer
from harness.builder import FeeAuction
from harness.errors import PluginError, ScenarioError

Script = Callable[[Stage, Any], Generator[int | None, None, None]]


def attack(script: Script, **fields: Any) -> Attack:
    defaults: dict[str, Any] = {
        "name": "test",
        "title": "a test",
        "sources": (),
        "parameters": Parameters(),
        "remedy": "",
        "stopped_by": "",
        "protocol": (),
        "goal": lambda _: Check("profit", at_least=1),
    }
    return Attack(play=script, **(defaults | fields))


def test_a_step_does_all_of_its_calls_or_none() -> None:
    def script(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        usd = stage.token("USD", 1)
        attacker = stage.actor("attacker", USD=10)
        other = stage.actor("other", "victim")
        yield None
        half, more = transfer(usd, other, 5 * 10**18), transfer(usd, other, 50 * 10**18)
        refused = stage.send("too much", attacker, half, more)
        yield None
        assert stage.balance("USD", other) == 0
        assert not refused.done
        assert str(refused.reason).startswith("InsufficientBalance")
        done = stage.send("as much as there is", attacker, half, allowed_to_fail(more))
        yield None
        assert done.done
        assert [reason.partition("(")[0] for reason in done.skipped] == ["InsufficientBalance"]
        assert stage.balance("USD", other) == 5 * 10**18

    result = play_attack(attack(script))
    assert [step.reason is None for step in result.steps] == [False, True]
    assert result.guard is not None
    assert result.losses_usd == {"other": -5}
    assert result.profit_usd == -5


def test_only_its_owner_moves_an_actor_and_nobody_calls_it_back_unasked() -> None:
    def script(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        usd = stage.token("USD", 1)
        attacker, victim = stage.actor("attacker"), stage.actor("victim", "victim", USD=10)
        yield None
        theft = [transfer(usd, attacker, 10).word()]
        for function, args in (
            ("run", (theft,)),
            ("attempt", (theft,)),
            ("reenter", (theft,)),
            ("onFlashLoan", (attacker, usd, 0, 0, b"")),
        ):
            stage.send(function, attacker, call(victim.contract, function, *args))
        yield None

    result = play_attack(attack(script))
    names = [str(step.reason).partition("(")[0] for step in result.steps]
    assert names == ["NotOwner", "NotSelf", "NotRunning", "NotRunning"]
    assert result.profit_usd == 0


def test_a_flash_loan_is_reported_and_its_calls_run_inside_it() -> None:
    def script(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        usd = stage.token("USD", 1)
        stage.feed("USD")
        lender = stage.lending("lender", {"USD": {}})
        stage.supplier("whale", lender, role="bystander", USD=1_000)
        attacker = stage.actor("attacker")
        yield None
        move = transfer(usd, attacker, all_of(usd, attacker))
        loan = flash_loan(lender.market, attacker, usd, 700 * 10**18, [move])
        stage.send("borrow", attacker, loan)
        yield None

    result = play_attack(attack(script))
    assert result.steps[0].reason is None
    assert (result.flash_usd, result.capital_usd, result.profit_usd) == (700, 0, 0)


def test_places_censorship_and_waiting_decide_when_a_transaction_runs() -> None:
    seen: dict[str, Any] = {}

    def script(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        usd = stage.token("USD", 1)
        attacker = stage.actor("attacker", USD=1)
        victim = stage.actor("victim", "victim", USD=1)
        yield None
        began = stage.now
        pay = transfer(usd, attacker, 0)
        one = stage.send("last", attacker, pay, place="last")
        two = stage.send("middle", attacker, pay)
        three = stage.send("first", attacker, pay, place="first")
        held = stage.send("censored", victim, pay)
        later = stage.send("later", attacker, pay, after_blocks=1)
        stage.censor(victim, 2)
        stage.wait(3_600)
        yield None
        seen["after"] = stage.now - began
        yield 2
        blocks = [sent.block - one.block for sent in (one, two, three, later, held)]
        seen["blocks"] = blocks

    result = play_attack(attack(script))
    assert seen == {"after": 3_612, "blocks": [0, 0, 0, 1, 2]}
    assert [step.label for step in result.steps][:3] == ["first", "middle", "last"]


def test_fees_are_charged_by_the_bid_and_the_higher_one_comes_first() -> None:
    def script(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        eth = stage.token("ETH", 1_000)
        attacker = stage.actor("attacker", ETH=1)
        victim = stage.actor("victim", "victim", ETH=1)
        stage.charge_fees("ETH")
        stage.deposit_fees(attacker, 1)
        stage.deposit_fees(victim, 1)
        stage.ordering = FeeAuction()
        yield None
        for actor, bid in ((victim, 10), (attacker, 20)):
            stage.send("pay", actor, transfer(eth, actor, 0), bid=bid * 10**9, gas=1_000_000)
        yield None

    result = play_attack(attack(script))
    assert [step.actor for step in result.steps] == ["attacker", "victim"]
    assert result.fees_usd == 20  # 1M gas x 20 gwei x $1,000
    assert result.profit_usd == -20
    assert result.losses_usd == {"victim": 10}
    assert result.books == {"ATK-1": None, "ATK-2": None}


@pytest.mark.parametrize(
    ("token", "market", "broken"),
    [
        ("Token", "PooledMarket", None),
        ("TokenMintsOneMore", "PooledMarket", "ATK-1"),
        ("Token", "MarketCreditsMore", "ATK-2"),
    ],
)
def test_a_planted_bug_is_caught_by_its_invariant(
    token: str, market: str, broken: str | None
) -> None:
    def script(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        minter = stage.actor("minter", "bystander")
        usd = stage.adopt("USD", stage.deploy(token, "USD", "USD", 18, minter), 1)
        stage.feed("USD")
        lending = stage.lending("market", {"USD": {}}, contract=market)
        attacker = stage.actor("attacker")
        stage.approve(attacker, ["USD"], lending)
        yield None
        stage.send("mint", minter, call(usd, "mint", attacker, 10**18))
        stage.send("supply", attacker, supply(lending.market, usd, 10**18, attacker))
        yield None

    result = play_attack(attack(script))
    assert [name for name, problem in result.books.items() if problem] == [broken] * bool(broken)


def test_what_an_actor_does_beforehand_must_succeed() -> None:
    def script(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        usd = stage.token("USD", 1)
        attacker = stage.actor("attacker")
        stage.prepare(attacker, transfer(usd, attacker, 1))
        yield None

    with pytest.raises(ScenarioError, match="what attacker does before the attack failed"):
        play_attack(attack(script))


def test_a_script_that_fails_is_told_in_one_line() -> None:
    def script(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        stage.actor("attacker")
        yield None
        raise KeyError("gone")

    with pytest.raises(PluginError, match="attack test, before block 2, failed: KeyError"):
        play_attack(attack(script))


def test_without_an_attacker_or_with_an_unknown_name_it_is_refused() -> None:
    def nobody(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        stage.actor("victim", "victim")
        yield None

    with pytest.raises(ScenarioError, match="no attacker"):
        play_attack(attack(nobody))

    def alone(stage: Stage, p: Any) -> Generator[int | None, None, None]:
        stage.actor("attacker")
        yield None

    with pytest.raises(ScenarioError, match="loss of"):
        play_attack(attack(alone, protocol=(Check("loss", at_most=0, of="nobody"),)))
