"""Accounts of a file that an audit has to leave out are counted where it is read."""

from __future__ import annotations

import json
from pathlib import Path

from harness.cli import main

MARKET = Path(__file__).parent / "market.toml"


def test_an_account_beyond_its_collateral_is_counted_in_the_notes(tmp_path, capsys):
    accounts = tmp_path / "accounts.csv"
    accounts.write_text(
        "account,collateral_asset,collateral_amount,debt_asset,debt_amount\n"
        "lost,ETH,1,USDC,90000\nkept,ETH,10,USDC,100\n",
        "utf-8",
    )
    out = tmp_path / "out"
    quick = ["audit.runs=20", "audit.search_runs=10", "audit.steps=1", "audit.trajectories=0"]
    quick += ["audit.health=[1.0]", "audit.depth=[1.0]", "clock.blocks=3"]
    sets = [word for each in quick for word in ("--set", each)]
    words = ["audit", str(MARKET), "--positions", str(accounts), "--out", str(out), *sets]
    main([*words, "--workers", "1", "--format", "json"])
    notes = json.loads((out / "audit.json").read_text("utf-8"))["notes"]
    assert any("1 of 2 positions are left out" in note for note in notes)
    assert "1 of 2 positions are left out" in capsys.readouterr().err
