"""Attacks written as TOML."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.attacks import attacks, load_attack, play, tables
from harness.attacks.tables import parse_table
from harness.errors import ScenarioError

TEXT = str(tables.__doc__)
EXAMPLE = TEXT[TEXT.index("    name =") : TEXT.index("``$NAME``")].replace("\n    ", "\n").strip()


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(tomllib.loads(EXAMPLE))


def test_the_example_is_the_librarys_attack_in_both_settings(tmp_path: Path) -> None:
    path = tmp_path / "stuck.toml"
    path.write_text(EXAMPLE, "utf-8")
    then = play(load_attack(str(path)))
    assert then.profit_usd == play(attacks()["stuck-feed"]).profit_usd
    assert not then.withstood
    remedied = play(load_attack(str(path), ["remedied=true"]))
    assert remedied.withstood
    assert str(remedied.guard).startswith("AnswerOutOfBounds")


def test_a_parameter_is_changed_by_name(tmp_path: Path) -> None:
    path = tmp_path / "stuck.toml"
    path.write_text(EXAMPLE, "utf-8")
    result = play(load_attack(str(path), ["luna=100_000_000"]))
    assert str(result.guard).startswith("BorrowLimitExceeded")  # of a loan that is stated


def test_loans_swaps_liquidations_reports_and_waiting(document: dict[str, Any]) -> None:
    document["token"] += [{"symbol": "ETH", "price_usd": 2_000}]
    document["pool"] = [{"base": "ETH", "quote": "BUSD", "base_reserve": 1_000}]
    document["lending"] += [
        {
            "name": "second",
            "asset": {"ETH": {"ltv": 8_000, "threshold": 8_000, "bonus": 500}, "BUSD": {}},
        }
    ]
    document["actor"] = [
        {"name": "supplier", "role": "bystander", "supplied": {"second": {"BUSD": 100_000}}},
        {
            "name": "victim",
            "role": "victim",
            "supplied": {"second": {"ETH": 10}},
            "borrowed": {"second": {"BUSD": 15_000}},
        },
        {"name": "attacker", "capital": {"BUSD": 100}},
    ]
    loan = {
        "call": "flash_loan",
        "market": "second",
        "token": "BUSD",
        "amount": 40_000,
        "do": [
            {"call": "swap", "pool": "ETH/BUSD", "token": "BUSD", "amount": 30_000},
            {"call": "swap", "pool": "ETH/BUSD", "token": "ETH", "amount": "all"},
        ],
    }
    liquidation = {
        "call": "liquidate",
        "market": "second",
        "account": "victim",
        "collateral": "ETH",
        "token": "BUSD",
        "amount": 50,
    }
    document["step"] = [
        {"label": "there and back", "actor": "attacker", "do": [loan]},
        {"push": {"ETH": 1_800}, "price": {"ETH": 1_800}, "wait_s": 60},
        {"label": "liquidate", "actor": "attacker", "do": [liquidation]},
    ]
    document["check"] = []
    result = play(parse_table(document))
    first, second = result.steps
    # the market's only flash loan is refused where it locks itself; the pool's fee is paid
    assert first.reason is not None or first.tokens["BUSD"] < 0
    assert second.reason is None
    assert second.tokens["BUSD"] == -50 * 10**18
    assert second.tokens["ETH"] == 50 * 105 * 10**18 // (100 * 1_800)
    assert result.blocks == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d.update(colour=1), "colour"),
        (lambda d: d.pop("stopped_by"), "stopped_by"),
        (lambda d: d["goal"].update(measure="luck"), "goal.measure"),
        (lambda d: d["goal"].pop("at_least"), "goal.at_most"),
        (lambda d: d.update(step={}), "step"),
        (lambda d: d["token"][0].update(weight=1), "token[0].weight"),
        (lambda d: d["token"][0].pop("price_usd"), "token[0].price_usd"),
        (lambda d: d["parameters"].update(luna="many"), "parameters.luna"),
        (lambda d: d["remedied"].update(other=1), "remedied"),
        (lambda d: d["actor"][1]["capital"].update(LUNA="$sol"), "actor[1].capital.LUNA"),
        (lambda d: d["actor"][1]["capital"].update(SOL=1), "actor[1].capital"),
        (lambda d: d["actor"][1].update(role="thief"), "actor[1].role"),
        (lambda d: d["lending"][0]["asset"].update(SOL={}), "lending[0].asset.SOL"),
        (lambda d: d["step"][0].update(actor="nobody"), "step[0].actor"),
        (lambda d: d["step"][0]["do"][0].update(call="steal"), "step[0].do[0].call"),
        (lambda d: d["step"][0]["do"][0].update(market="shop"), "step[0].do[0].market"),
        (lambda d: d["step"][0]["do"][1].update(amount=-1), "step[0].do[1].amount"),
        (lambda d: d.update(title=5), "title"),
        (lambda d: d.update(goal=5), "goal"),
        (lambda d: d["goal"].update(at_least="much"), "goal.at_least"),
        (lambda d: d["goal"].update(of="nobody"), "profit of"),
        (lambda d: d["parameters"].update({"a-b": 1}), "parameters"),
        pytest.param(lambda d: d["parameters"].update(remedied=1), "parameters", id="reserved"),
        (lambda d: d["remedied"].update(luna="many"), "remedied.luna"),
        (lambda d: d["token"][0].pop("symbol"), "token[0].symbol"),
        (lambda d: d["token"][1].update(symbol="LUNA"), "token[1].symbol"),
        (lambda d: d["token"][0].update(decimals="six"), "token[0].decimals"),
        pytest.param(
            lambda d: d["token"][0].update(decimals=19), "token[0].decimals", id="too-fine"
        ),
        (lambda d: d["lending"][0].pop("name"), "lending[0].name"),
        (lambda d: d["lending"][0].update(rules=[1, 2]), "lending[0].rules"),
        pytest.param(
            lambda d: d["lending"][0].update(rules=["a", 2, 3, 4]), "lending[0].rules", id="rule"
        ),
        (lambda d: d["lending"][0]["asset"].update(LUNA=5), "lending[0].asset.LUNA"),
        (lambda d: d["actor"][1].update(name="supplier"), "actor[1].name"),
        pytest.param(lambda d: d["actor"][1].update(capital=5), "actor[1].capital", id="no-table"),
        (lambda d: d["actor"][0].update(supplied={"market": 5}), "actor[0].supplied.market"),
        (lambda d: d["actor"][0].update(supplied={"shop": {}}), "actor[0].supplied"),
        (lambda d: d["step"][0].update(push=5), "step[0].push"),
        (lambda d: d["step"][0].update(do=[5]), "step[0].do[0]"),
    ],
)
def test_bad_input_names_the_field(document: dict[str, Any], change: Any, field: str) -> None:
    change(document)
    with pytest.raises(ScenarioError) as caught:
        play(parse_table(document))
    assert caught.value.field == field


def test_a_file_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="readable"):
        load_attack(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("name = ", "utf-8")
    with pytest.raises(ScenarioError, match="TOML"):
        load_attack(str(tmp_path / "bad.toml"))
