"""``harness attack`` and ``harness list attacks``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.attacks import attacks
from harness.cli import main

FILE = """
from dataclasses import replace

from harness.attacks import attacks

ATTACK = replace(attacks()["first-depositor"], name="mine")
"""


def test_one_the_protocol_does_not_withstand_is_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["attack", "first-depositor"]) == 1
    captured = capsys.readouterr()
    assert "goal: attackers' profit at least $5,000: reached" in captured.out
    assert captured.err == (
        "harness: check failed: attackers' profit at most $0 ($5,000); "
        "victims' loss at most $0 ($5,000)\n"
    )


def test_remedied_it_is_0_and_json_is_one_object(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["attack", "first-depositor", "--set", "remedied=true", "--json"]
    assert main([*given, "--out", str(tmp_path / "out")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["withstood"] is True
    assert printed["attacker"]["tokens"] == {"USD": str(-(10**22))}
    assert printed["steps"][0]["actor"] == "attacker"
    assert json.loads((tmp_path / "out" / "attack.json").read_text("utf-8")) == printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such"], "attack = 'no-such'"),
        (["first-depositor", "--set", "deposit=much"], "deposit = 'much': a number"),
        (["first-depositor", "--set", "sum=1"], "--set = 'sum=1': NAME=VALUE with one of"),
        (["first-depositor", "--engine", "abacus"], "--engine"),
        (["spot-oracle", "--set", "remedied=true", "--set", "window_s=0"], "InvalidConfig(window)"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["attack", *arguments]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_file_of_ones_own_is_played(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE, "utf-8")
    assert main(["attack", str(path), "-q", "--set", "remedied=true"]) == 0
    assert main(["attack", str(path)]) == 1
    assert capsys.readouterr().out.startswith("mine, as it was\n")
    path.write_text("ATTACK = 1", "utf-8")
    assert main(["attack", str(path)]) == 2


def test_the_list_has_a_name_and_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "attacks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(attacks())
    assert all(len(line) <= 100 for line in lines)
