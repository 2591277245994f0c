"""The section on vaults: in the page where there is one, with the summary's figures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.cli import main

FILE = Path(__file__).parents[1] / "contagion" / "vault.toml"

RUNNERS = """
[[agent]]
kind = "vault-depositor"
name = "runner"
vault = "prime"
shares = 200_000
count = 2
loss_bps = 1
bid = {base_gwei = 0}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run's folder, with its page."""
    base = tmp_path_factory.mktemp("vaults")
    scenario = base / "run.toml"
    scenario.write_text(FILE.read_text("utf-8") + RUNNERS, "utf-8")
    out = base / "out"
    assert main(["run", str(scenario), "--seed", "1", "-q", "--out", str(out)]) == 0
    assert main(["report", str(out), "--quiet"]) == 0
    return out


def test_the_page_tells_what_a_share_was_worth_and_who_redeemed(folder) -> None:
    found = json.loads((folder / "summary.json").read_text("utf-8"))["vaults"]["prime"]
    page = (folder / "report.html").read_text("utf-8")
    section = page[page.index('<section id="vaults"') :]
    section = section[: section.index("</section>")]
    text = re.sub("<[^>]+>", "", section)
    assert found["price_usd"]["end"] < found["price_usd"]["start"] == pytest.approx(1.0)
    assert f"and ${found['price_usd']['end']:.4f} at the end" in text
    assert f"Lost in alt ${found['lost_usd']['alt']:,.0f}" in text
    rows = re.findall(r'<tr><th scope="row">([\w-]+)</th>((?:<td[^>]*>[^<]*</td>)+)</tr>', section)
    cells = {name: re.findall(r"<td[^>]*>([^<]*)</td>", rest) for name, rest in rows}
    assert cells["runner"][:3] == ["2", "2", "100.0%"]
    assert cells["passive"][:3] == ["1", "0", "0.0%"]
    lost = sum(row["loss_usd"] for row in found["rows"] if row["name"].startswith("runner"))
    assert cells["runner"][-1] == f"${lost:,.0f}"
    assert lost > 0


def test_the_losses_of_depositors_are_those_of_their_shares(folder) -> None:
    """Nobody was paid in full before the loss: a share lost the same wherever it was."""
    found = json.loads((folder / "summary.json").read_text("utf-8"))["vaults"]["prime"]
    fall = found["price_usd"]["start"] - found["price_usd"]["end"]
    for row in found["rows"]:
        # prices have 8 decimals
        assert row["loss_usd"] == pytest.approx(int(row["shares"]) / 10**6 * fall, rel=1e-6)


def test_the_terminal_tells_what_a_share_is_worth(folder, capsys) -> None:
    scenario = folder / "scenario.toml"
    assert main(["run", str(scenario), "--seed", "1", "--out", str(folder.parent / "again")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"worth of a vUSDX +\$1\.0000 +\$0\.8\d\d\d", printed)
    assert re.search(r"lost in alt +\$[\d,]+", printed)


POOL = """
[[venue]]
kind = "pool"
name = "shares"
base = "vUSDX"
quote = "USDX"
base_reserve = 100_000

[[agent]]
kind = "share-arbitrageur"
name = "arbitrageur"
pool = "shares"
cash = 1_000_000
bid = {base_gwei = 0}
"""


def test_page_and_terminal_tell_what_the_shares_cost_in_their_pool(tmp_path, capsys) -> None:
    scenario, out = tmp_path / "traded.toml", tmp_path / "out"
    scenario.write_text(FILE.read_text("utf-8") + POOL, "utf-8")
    assert main(["run", str(scenario), "--seed", "1", "--out", str(out)]) == 0
    found = json.loads((out / "summary.json").read_text("utf-8"))["vaults"]["prime"]["pool"]
    printed = capsys.readouterr().out
    end = f"${found['price_usd']['end']:.4f}"
    assert re.search(rf"price of one in shares +\$1\.0000 +{re.escape(end)}", printed)
    short = f"${found['shortfall_usd']['beta']:,.0f}"
    assert re.search(rf"shortfall of beta at that price +{re.escape(short)}", printed)
    assert main(["report", str(out), "--quiet"]) == 0
    page = (out / "report.html").read_text("utf-8")
    section = re.sub("<[^>]+>", "", page[page.index('<section id="vaults"') :])
    assert f"In shares it cost {end} at the end" in section
    # beside worth with and without feedback, block by block
    assert "price in its pool" in section


def test_debt_that_no_share_shows_yet_is_told(tmp_path, capsys) -> None:
    """Liquidators without capital leave debts beyond their collateral: nothing is written off."""
    changed = ["--set", "clock.blocks=100", "--set", "agent.desk.capital.USDC=10_000"]
    out = tmp_path / "out"
    assert main(["run", "curated-vaults", *changed, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert main(["report", str(out), "--quiet"]) == 0
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert not any(summary["vaults"]["prime"]["lost_usd"].values())
    owed = f"${summary['solvency']['by_venue']['xusd-market']['shortfall_market_usd']:,.0f}"
    assert len(owed) > len("$100,000")
    assert re.search(rf"debt beyond collateral in xusd-market +{re.escape(owed)}\n", printed)
    page = (out / "report.html").read_text("utf-8")
    assert f"Debt beyond its collateral, not written off yet: xusd-market {owed}. " in page
    assert "not written off yet: eth-market" not in page
