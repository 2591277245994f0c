"""Who liquidates, buys and keeps: the page's rows are what the summary says of all, to a cent."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.mitigations import remedied
from harness.report import report
from harness.report.data import load_run
from harness.report.tallies import takings
from harness.scenario import dump_scenario, load_scenario

DOMINOES = Path(__file__).parent / "dominoes.toml"
KEEPER = """
[[agent]]
kind = "inventory-liquidator"
name = "hoarder"
venue = "market"
capital = { USDX = 500_000 }
limit_usd = 400_000
holding_blocks = 1000
bid = { base_gwei = 500 }
"""
ISOLATED = """
[[venue]]
kind = "isolated-lending"
name = "apart"
collateral = "ETH"
debt = "USDX"
lltv_bps = 8600
supplied = 1000
"""


def takings_of(scenario: Path, folder: Path):
    """The run in a folder, and its takings, which add up to the summary."""
    assert main(["run", str(scenario), "--seed", "3", "-q", "--out", str(folder)]) == 0
    run = load_run(folder)
    found, told = takings(run), run.summary["liquidations"]
    assert sum(each.liquidations for each in found.values()) == told["count"] > 0
    assert sum(each.repaid for each in found.values()) == pytest.approx(told["repaid_usd"])
    assert sum(each.seized for each in found.values()) == pytest.approx(told["seized_usd"])
    fee = run.prices[run.scenario.block_space.fee_asset].outside[-1]
    earned = sum(each.profit - each.fees * fee for each in found.values())
    assert earned == pytest.approx(told["liquidator_profit_usd"], abs=0.005)
    return run, found


@pytest.mark.parametrize("remedy", ["english-auctions", "stability-pool"])
def test_whoever_pays_is_whose_liquidation_it_was(remedy: str, tmp_path: Path) -> None:
    scenario = tmp_path / "run.toml"
    made = remedied(load_scenario(DOMINOES, ["clock.blocks=120"]), remedy)
    scenario.write_text(dump_scenario(made), "utf-8")
    _, found = takings_of(scenario, tmp_path / "out")
    payers = {who for who, each in found.items() if each.repaid}
    starters = {who for who, each in found.items() if each.liquidations}
    assert payers
    assert not payers & starters, (payers, starters)
    if remedy == "stability-pool":
        assert payers == {"deposits@market"}


def test_what_is_kept_counts_at_the_last_price(tmp_path: Path) -> None:
    scenario = tmp_path / "run.toml"
    scenario.write_text(DOMINOES.read_text("utf-8") + KEEPER, "utf-8")
    run, found = takings_of(scenario, tmp_path / "out")
    assert found["hoarder"].liquidations > 0
    assert not [row for row in run.sent if row.action == "sell_inventory"]


def test_a_chart_of_deficits_says_whose_are_not_in_it(tmp_path: Path) -> None:
    """Beside the pooled market an isolated one, whose suppliers lose at once."""
    scenario = tmp_path / "run.toml"
    scenario.write_text(DOMINOES.read_text("utf-8") + ISOLATED, "utf-8")
    out = tmp_path / "out"
    fall = "asset.ETH.price.points=[[0, 1000], [60, 980], [540, 900], [780, 100]]"
    words = ["run", str(scenario), "--seed", "3", "-q", "--out", str(out), "--set", fall]
    assert main(words) == 0
    page = report(out).read_text("utf-8")
    assert load_run(out).summary["solvency"]["by_venue"]["market"]["deficit_usd"] > 0
    assert "only deficits of pooled markets are drawn" in page
