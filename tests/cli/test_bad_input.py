"""Bad input: exit code 2, one line that names the field, its value and what is allowed, and
nothing written."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from .conftest import CRASH, Cli, one_line

CASES = [
    (["run", "black-wednesday"], ["black-wednesday", "black-thursday, calm"]),
    (["run", "nowhere.toml"], ["nowhere.toml", "No such file"]),
    (["run", "."], ["'.'"]),
    (["run", "blackthursday"], ["blackthursday", "did you mean black-thursday?"]),
    (["run", CRASH, "--set", "clock.bloks=3"], ["clock.bloks", "did you mean blocks?"]),
    (["run", CRASH, "--set", "venue.market.kind=poolled-lending"], ["mean pooled-lending?"]),
    (["run", CRASH, "--set", "population.borrowers.collateral=ETHH"], ["did you mean ETH?"]),
    (["run", CRASH, "--set", "scenario=calm"], ["calm", "`harness sweep`"]),
    (["sweep", CRASH], [CRASH, "`harness run`"]),
    (["attack", "stuck-fed"], ["stuck-fed", "did you mean stuck-feed?"]),
    (["compare", CRASH, "--mitigations", "full-clos"], ["did you mean full-close?"]),
    (["compare", CRASH, "--mitigations", "nowhere:Remedy"], ["nowhere", "PYTHONPATH"]),
    (["run", CRASH, "--set", "block_space.fee_asset=BNB"], ["BNB", "fees are paid in"]),
    (["run", CRASH, "--set", "clock.blocks=many"], ["clock.blocks", "'many'"]),
    (["run", CRASH, "--set", "clock.blocks=2.5"], ["clock.blocks", "2.5"]),
    (["run", CRASH, "--set", "clock.blocks=-3"], ["clock.blocks", "-3", ">= 1"]),
    (["run", CRASH, "--set", "clock.blocks"], ["clock.blocks", "path=value"]),
    (["run", CRASH, "--set", "asset.ETH.start_price_usd=nan"], ["start_price_usd", "nan"]),
    (["run", CRASH, "--set", "asset.ETH.start_price_usd=-1"], ["start_price_usd", "-1"]),
    (["run", CRASH, "--set", "asset.BTC.start_price_usd=1"], ["asset.BTC", "ETH, USDC"]),
    (["run", CRASH, "--set", "asset[7].decimals=1"], ["asset[7]", "below 2"]),
    (["run", CRASH, "--set", "venue.market.asset.ETH.ltv_bps=9000"], ["ltv_bps", "9000", "8300"]),
    (["run", CRASH, "--set", "schema=2"], ["schema = 2: required: 1"]),
    (
        ["run", CRASH, "--set", "venue.market.kind=nowhere:Nothing"],
        ["PYTHONPATH"],
    ),
    (["run", CRASH, "--set", "block_space.ordering=nowhere:Nothing"], ["PYTHONPATH"]),
    (["run", CRASH, "--prices", "ETH=missing.csv"], ["missing.csv", "No such file"]),
    (["run", CRASH, "--prices", "BTC=eth.csv"], ["BTC=eth.csv", "ETH, USDC"]),
    (["run", "calm", "--prices", "eth.csv"], ["eth.csv", "ETH, DAI"]),
    (["run", CRASH, "--seed", "seven"], ["--seed", "seven"]),
    (["run", CRASH, "--engine", "geth"], ["--engine", "geth", "revm, py-evm"]),
    (["run", CRASH, "--engine", "nowhere:Engine"], ["--engine", "nowhere:Engine"]),
    (["run", CRASH, "--engine", "rpc:ftp://localhost"], ["--engine", "ftp", "http://"]),
    (["run", CRASH, "--engine", "rpc:http://127.0.0.1:many"], ["--engine", "many"]),
    (["run", CRASH, "--out", "/dev/null/out"], ["--out", "/dev/null/out", "Not a directory"]),
    (["run", CRASH, "--out", CRASH], ["--out", CRASH]),
    (["run"], ["scenario"]),
    (["run", CRASH, "--sed", "7"], ["--sed"]),
    (["run", CRASH, "--contagon"], ["--contagon", "harness run --help"]),
    (["verify", "runs/none", "--engine", "geth"], ["runs/none"]),
    (["list", "everything"], ["everything", "engines"]),
    (["fly"], ["fly", "run"]),
    ([], ["COMMAND"]),
]


@pytest.mark.parametrize(
    ("arguments", "named"),
    CASES,
    ids=[" ".join(case[0]).removeprefix(f"run {CRASH} ") for case in CASES],
)
def test_bad_input_is_refused_in_one_line(
    arguments: list[str], named: list[str], cli: Cli, tmp_path: Path
) -> None:
    complaint = one_line(cli(*arguments), 2)
    for text in named:
        assert text in complaint
    assert list(tmp_path.iterdir()) == [], "something was written"


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("time,price\n0,1\n", "an epoch (s, ms, us or ns) or an ISO 8601 time"),
        ("time,price\n2026-01-01,2000\n2026-01-02,0\n", "eth.csv:3"),
        ("time,price\n2026-01-01,2000\n2026-01-02,-1\n", "eth.csv:3"),
        ("time,price\n2026-01-01,2000\n2026-01-02,nan\n", "eth.csv:3"),
        ("time,price\n2026-01-01,2000\n2026-01-02,\n", "eth.csv:3"),
        ("time,price\n2026-01-02,2000\n2026-01-01,1900\n", "order"),
        ("time,price\n2026-01-01,2000\n2026-01-01,1900\n", "duplicate"),
        ("time,price\n2026-01-01,2000\n2026-01-02,1900,7\n", "eth.csv:3"),
        ("time,price\n", "no rows"),
        ("", "no rows"),
        ("price\n2000\n", "a time column"),
        ("time,price\n2027-01-01,2000\n", "overlap"),
        ("time,price\n2026-01-01T00:01Z,2000\n", "cover clock.start"),
    ],
)
def test_a_bad_price_file_is_named_with_its_line(
    rows: str, named: str, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "eth.csv").write_text(rows)
    complaint = one_line(cli("run", CRASH, "--prices", "ETH=eth.csv"), 2)
    assert "eth.csv" in complaint
    assert named in complaint
    assert [file.name for file in tmp_path.iterdir()] == ["eth.csv"]


def test_a_node_that_does_not_answer_is_named(cli: Cli, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"rpc:http://127.0.0.1:{unused.getsockname()[1]}"
    complaint = one_line(cli("run", CRASH, "--engine", url), 2)
    assert "--engine" in complaint
    assert url in complaint
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_one_line_whatever_the_value_holds(cli: Cli) -> None:
    complaint = one_line(cli("run", CRASH, "--set", "name=\n\tx\ny" + "z" * 500), 2)
    assert len(complaint) < 400
