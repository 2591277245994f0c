"""The section on suppliers: in the page where somebody may run, with the summary's figures."""

from __future__ import annotations

import json
import re

import pytest

from harness.cli import main

#: A fall in which one kind of supplier leaves with its first alarm and another not at all.
RUN = """
[[agent]]
kind = "supplier"
name = "early"
venue = "aave"
asset = "DAI"
supplied = 400_000
count = 3
withdrawal = { asset = "ETH", fall_bps = 1000 }

[[agent]]
kind = "supplier"
name = "never"
venue = "aave"
asset = "DAI"
supplied = 100_000
utilisation_bps = 10_000
"""

SETS = (
    "clock.blocks=40",
    "expect=liquidations",
    "asset.ETH.price={process='constant', shock=[{at_s=600, factor=0.5, ramp_s=300}]}",
    "population.borrowers.health={excess_median=0.2, excess_sigma=0.6, min=1.05, max=3}",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run's folder, with its page."""
    from harness.scenario import dump_scenario, load_scenario

    base = tmp_path_factory.mktemp("suppliers")
    scenario = base / "run.toml"
    scenario.write_text(dump_scenario(load_scenario("calm", SETS)) + RUN, "utf-8")
    out = base / "out"
    assert main(["run", str(scenario), "--seed", "1", "-q", "--out", str(out)]) == 0
    assert main(["report", str(out), "--quiet"]) == 0
    return out


def test_every_kind_has_its_row_and_the_losses_add_up(folder) -> None:
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    table = summary["suppliers"]["aave"]["DAI"]
    page = (folder / "report.html").read_text("utf-8")
    section = page[page.index('<section id="suppliers"') :]
    section = section[: section.index("</section>")]
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>((?:<td[^>]*>[^<]*</td>)+)</tr>', section)
    cells = {name: re.findall(r"<td[^>]*>([^<]*)</td>", rest) for name, rest in rows}
    assert set(cells) == {"passive", "early", "never", "All"}
    assert cells["early"][:3] == ["3", "3", "100.0%"]
    assert cells["never"][:3] == ["1", "0", "0.0%"]
    loss = table["uncovered_usd"] + table["unrealised_usd"]
    assert loss > 0
    assert sum(row["loss_usd"] for row in table["rows"]) == pytest.approx(loss)
    assert cells["All"][-1] == f"${loss:,.0f}"
    assert "3 of 5 suppliers got out" in section


def test_a_run_from_which_nobody_may_run_has_no_such_section(tmp_path) -> None:
    out = tmp_path / "calm"
    assert main(["run", "calm", "--set", "clock.blocks=3", "-q", "--out", str(out)]) == 0
    assert main(["report", str(out), "--quiet"]) == 0
    assert 'id="suppliers"' not in (out / "report.html").read_text("utf-8")


def test_the_terminal_tells_who_got_out(folder, capsys) -> None:
    scenario = folder / "scenario.toml"
    assert main(["run", str(scenario), "--seed", "1", "--out", str(folder.parent / "again")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"suppliers of aave, DAI +paid out +loss", printed)
    assert re.search(r"early: 3 out, 0 left +100% +\$0", printed)
    assert re.search(r"never: 0 out, 1 left +0% +\$[\d,]+", printed)
