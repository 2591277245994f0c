"""``harness audit`` at the command line: exit codes, files, bad input in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main

MARKET = Path(__file__).parent / "market.toml"
QUICK = [
    argument
    for change in (
        *("clock.blocks=6", "population.borrowers.count=3"),
        *("audit.steps=1", "audit.health=[1.0]", "audit.depth=[1.0]"),
    )
    for argument in ("--set", change)
]


@pytest.mark.slow
def test_a_failed_audit_gates_a_deployment(tmp_path, capsys):
    unsafe = "venue.market.asset.ETH.liquidation_bonus_bps=4000"
    out = tmp_path / "found"
    command = [
        "audit",
        str(MARKET),
        "--out",
        str(out),
        "--workers",
        "1",
        "--format",
        "html,md,json",
    ]
    assert main([*command, "--set", unsafe, *QUICK]) == 1
    printed = capsys.readouterr()
    assert "FAIL" in printed.out
    assert max(map(len, printed.out.splitlines()[:-1])) <= 80
    content = json.loads((out / "audit.json").read_text("utf-8"))
    assert content["verdict"] == "fail"
    assert content["suggestion"]["passes"]
    text = (out / "audit.md").read_text("utf-8")
    for title in ("Safe ranges", "Worst runs", "Assumptions", "Limitations"):
        assert f"## {title}" in text
    # the command beside a worst run repeats it, from the scenario that was written down
    worst = content["worst_runs"][0]
    again = ["run", str(out / "scenario.toml"), "--seed", str(worst["seed"]), "--json"]
    for override in worst["set"]:
        again += ["--set", override]
    assert main([*again, "--out", str(tmp_path / "again")]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == worst["digest"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "pdf"], "--format = 'pdf': some of html,md,json"),
        (["--set", "audit.level=1"], "audit.level = 1: "),
        (["--set", "audit.appetite_bps=-1"], "audit.appetite_bps = -1: "),
        (["--set", "audit.stress=[{name='x', kind='downturn', assets=['BTC']}]"], "'BTC'"),
        (["--executor", "cloud"], "--executor = 'cloud'"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["audit", str(MARKET), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert message in printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_without_a_market_cannot_be_audited(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = MARKET.read_text("utf-8")
    (tmp_path / "bare.toml").write_text(
        text.replace("liquidation_threshold_bps = 6500", "").replace("ltv_bps = 6000", ""), "utf-8"
    )
    assert main(["audit", "bare.toml"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
