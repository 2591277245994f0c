"""``harness run``: what it prints, writes and returns."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness.engine import default_engine_name

from .conftest import CRASH, Cli, one_line, process

PRICE = {"start", "low", "high", "end", "exogenous_low", "exogenous_high"}
LIQUIDATIONS = {"count", "repaid_usd", "seized_usd"}
SOLVENCY = {
    "insolvency_usd",
    "bad_debt_usd",
    "shortfall_market_usd",
    "shortfall_liquidation_usd",
    "shortfall_oracle_usd",
    "deficit_usd",
    "socialized_loss_usd",
}
SUMMARY: dict[str, Any] = {
    "schema": None,
    "status": None,
    "scenario": None,
    "seed": None,
    "engine": None,
    "digest": None,
    "blocks": None,
    "elapsed_s": None,
    "warnings": None,
    "transactions": {"sent", "succeeded", "reverted", "expired"},
    "prices": {"ETH": PRICE, "USDC": PRICE},
    "liquidations": {
        **dict.fromkeys(LIQUIDATIONS | {"liquidator_profit_usd"}),
        "by_venue": {"market": LIQUIDATIONS},
    },
    "cascade": {
        "waves",
        "max_wave",
        "amplification",
        "endogenous_share",
        "branching_ratio",
    },
    "margin_calls": {"count", "met", "reduced", "ignored"},
    "solvency": {
        **dict.fromkeys(SOLVENCY | {"insurance_fund_usd", "adl_usd"}),
        "by_venue": {"market": SOLVENCY | {"carried_by_reserves_usd", "carried_by_suppliers_usd"}},
    },
    "contagion": None,
    "suppliers": None,
    "vaults": None,
    "checks": {
        "invariants": {"IDX-1", "LIQ-1", "MKT-1", "MKT-2", "TOK-1"},
        "vacuous": None,
    },
    "exchanges": set(),
    "waterfall": set(),
    "exact": {
        "liquidations.repaid": {"USDC"},
        "liquidations.seized": {"ETH"},
        "solvency.bad_debt": {"USDC"},
        "solvency.deficit": {"ETH", "USDC"},
        "fees.paid": {"ETH"},
    },
}
FILES = {
    "manifest.json",
    "summary.json",
    "scenario.toml",
    "blocks.parquet",
    "cascade.parquet",
    "losses.parquet",
    "transactions.parquet",
    "liquidations.parquet",
    "trades.parquet",
    "margin_calls.parquet",
    "bad_debts.parquet",
    "positions.parquet",
    "traders.parquet",
    "final_reads.parquet",
}


def check_keys(found: Any, expected: Any, path: str = "summary") -> None:
    if expected is None:
        return
    assert set(found) == set(expected), path
    if isinstance(expected, dict):
        for key, inner in expected.items():
            check_keys(found[key], inner, f"{path}.{key}")


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def without_time(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key != "elapsed_s"}


def test_the_summary_has_exactly_the_stated_keys_and_no_nan(cli: Cli) -> None:
    summary = cli("run", CRASH, "--seed", 3, "--json").json()
    check_keys(summary, SUMMARY)
    assert {frozenset(wave) for wave in summary["cascade"]["waves"]} == {
        frozenset({"wave", "count", "repaid_usd"})
    }
    assert all(math.isfinite(leaf) for leaf in leaves(summary) if isinstance(leaf, float))
    assert summary["cascade"]["max_wave"] > 0, "the fixture no longer cascades"


def test_a_quiet_run_has_the_same_keys_and_null_where_nothing_is_defined(cli: Cli) -> None:
    summary = cli("run", "calm", "--set", "clock.blocks=5", "--json").json()
    assert set(summary) == set(SUMMARY)
    assert set(summary["cascade"]) == SUMMARY["cascade"]
    assert summary["cascade"]["amplification"] is None
    assert summary["cascade"]["max_wave"] is None


def test_json_is_one_object_on_stdout_and_nothing_on_stderr(tmp_path: Path) -> None:
    outcome = process("run", CRASH, "--json", cwd=tmp_path)
    assert outcome.err == ""
    summary, end = json.JSONDecoder().raw_decode(outcome.out)
    assert outcome.out[end:] == "\n"
    assert summary == json.loads((tmp_path / "runs" / "crash-0" / "summary.json").read_text())


def test_the_same_seed_gives_the_same_summary_in_another_process(cli: Cli, tmp_path: Path) -> None:
    here = cli("run", CRASH, "--seed", 5, "--json").json()
    there = process("run", CRASH, "--seed", 5, "--json", cwd=tmp_path, PYTHONHASHSEED="1").json()
    assert without_time(here) == without_time(there)
    other = cli("run", CRASH, "--seed", 6, "--json").json()
    assert other["digest"] != here["digest"]


@pytest.mark.slow
@pytest.mark.skipif(default_engine_name() != "revm", reason="takes half an hour without revm")
def test_black_thursday_twice_gives_the_same_summary(cli: Cli) -> None:
    first = cli("run", "black-thursday", "--seed", 7, "--json").json()
    again = cli("run", "black-thursday", "--seed", 7, "--json").json()
    assert without_time(first) == without_time(again)
    assert first["checks"] == {"invariants": first["checks"]["invariants"], "vacuous": False}
    assert first["liquidations"]["count"] > 0


def test_the_run_directory_is_complete(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    summary = cli("run", CRASH, "--seed", 2, "--out", out, "--json").json()
    assert {file.name for file in out.iterdir()} == FILES
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["digest"] == summary["digest"]
    assert manifest["command"] == f"harness run {CRASH} --seed 2 --out {out} --json"
    assert manifest["files"] == {
        name: hashlib.sha256((out / name).read_bytes()).hexdigest()
        for name in FILES - {"manifest.json"}
    }


def test_the_tables_agree_with_the_summary(cli: Cli, tmp_path: Path) -> None:
    summary = cli("run", CRASH, "--out", "out", "--json").json()
    names = (
        "blocks",
        "transactions",
        "liquidations",
        "trades",
        "margin_calls",
        "bad_debts",
        "positions",
    )
    tables = {name: pq.read_table(tmp_path / "out" / f"{name}.parquet") for name in names}
    passes = {"run": [], "twin": []}
    for row in tables["liquidations"].to_pylist():
        passes[row["pass"]].append(row)
    liquidations = passes["run"]
    assert len(liquidations) == summary["liquidations"]["count"]
    repaid = sum(row["repaid"] for row in liquidations)
    assert str(repaid) == summary["exact"]["liquidations.repaid"]["USDC"]
    waves = summary["cascade"]["waves"]
    assert [wave["count"] for wave in waves] == [
        sum(row["wave"] == wave["wave"] for row in liquidations) for wave in waves
    ]
    calls, lost = (
        tables[name].filter(pc.field("pass") == "run").to_pylist()
        for name in ("margin_calls", "bad_debts")
    )
    counted = {
        outcome: sum(row["outcome"] == outcome for row in calls)
        for outcome in ("met", "reduced", "ignored")
    }
    assert {"count": len(calls), **counted} == summary["margin_calls"]
    written_off = sum(row["amount"] for row in lost)
    assert str(written_off) == summary["exact"]["solvency.bad_debt"].get("USDC", "0")
    blocks = tables["blocks"].to_pydict()
    assert sum(index is not None for index in blocks["index"]) == summary["blocks"]
    assert blocks["number"] == list(range(1, len(blocks["number"]) + 1))
    low = min(price for price in blocks["external.ETH"] if price is not None)
    assert low / 10**8 == summary["prices"]["ETH"]["low"]
    assert len({row["account"] for row in tables["positions"].to_pylist()}) == 20
    agents = {"builder", "publisher", "setup"}
    sent = [row for row in tables["transactions"].to_pylist() if row["agent"] not in agents]
    assert len(sent) == summary["transactions"]["sent"]
    assert {row["id"] for row in tables["trades"].to_pylist()} == set(
        range(1, tables["trades"].num_rows + 1)
    )


def test_a_second_run_replaces_the_first(cli: Cli, tmp_path: Path) -> None:
    cli("run", CRASH, "--out", "out", "-q")
    before = (tmp_path / "out" / "summary.json").read_text()
    cli("run", CRASH, "--out", "out", "--seed", 1, "-q")
    after = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert after["seed"] == 1
    assert json.loads(before)["seed"] == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES


@pytest.mark.parametrize(
    "content",
    [
        {"notes.txt": "mine"},
        {"manifest.json": '{"name": "an extension", "manifest_version": 3}'},
        {"manifest.json": "not JSON"},
        {"summary.json": "{}"},
    ],
)
def test_a_foreign_folder_stays_as_it_is(content: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    foreign = tmp_path / "mine"
    foreign.mkdir()
    for name, text in content.items():
        (foreign / name).write_text(text)
    complaint = one_line(cli("run", CRASH, "--out", foreign), 2)
    assert str(foreign) in complaint
    assert {file.name: file.read_text() for file in foreign.iterdir()} == content


def test_a_run_with_something_of_the_users_in_it_is_not_replaced(cli: Cli, tmp_path: Path) -> None:
    cli("run", CRASH, "--out", "out", "-q")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    complaint = one_line(cli("run", CRASH, "--out", "out"), 2)
    assert "notes.txt" in complaint
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES | {"notes.txt"}


def test_bad_input_leaves_an_earlier_run_alone(cli: Cli, tmp_path: Path) -> None:
    cli("run", CRASH, "--out", "out", "-q")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    ordering = "block_space.ordering=nowhere:Nothing"
    one_line(cli("run", CRASH, "--out", "out", "--set", "clock.blocks=-1"), 2)
    one_line(cli("run", CRASH, "--out", "out", "--engine", "none"), 2)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    assert "nowhere" in one_line(cli("run", CRASH, "--out", "new", "--set", ordering), 2)
    assert not (tmp_path / "new").exists()


def test_set_prices_and_warnings_reach_the_run(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "eth.csv").write_text(
        "time,price\n2026-01-01T00:00Z,2000\n2026-01-01T00:03Z,1600\n2026-01-01T00:05Z,1700\n"
    )
    summary = cli(
        "run", CRASH, "--prices", "ETH=eth.csv", "--set", "asset.ETH.external.depth_2pct_usd=1e9",
        "--json",
    ).json()  # fmt: skip
    assert summary["prices"]["ETH"]["low"] == pytest.approx(1600, rel=1e-3)
    assert summary["blocks"] == 26
    assert ["eth.csv ends after 26 of 40 blocks" in text for text in summary["warnings"]] == [True]
    scenario = (tmp_path / "runs" / "crash-0" / "scenario.toml").read_text()
    assert "1e9" in scenario or "1000000000.0" in scenario
    assert "eth.csv" not in scenario


def test_a_threshold_beyond_the_toxic_bound_warns_and_runs(cli: Cli) -> None:
    outcome = cli("run", CRASH, "--set", "venue.market.asset.ETH.liquidation_bonus_bps=2500")
    assert outcome.code == 0
    assert "toxic bound" in outcome.out


def test_quiet_prints_nothing(cli: Cli) -> None:
    assert cli("run", CRASH, "--quiet") == (0, "", "")


def test_verbose_logs_to_stderr_only(cli: Cli) -> None:
    outcome = cli("run", CRASH, "--verbose", "--json")
    outcome.json()
    assert "harness: engine: " in outcome.err
    assert "harness: written to runs/crash-0\n" in outcome.err
