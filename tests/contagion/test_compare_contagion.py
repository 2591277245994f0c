"""Remedies across venues, and contagion beside the other figures."""

from __future__ import annotations

import json

import pytest

from harness.cli import main
from harness.experiments.compare import BASELINE, compare
from harness.experiments.table import comparison_table
from harness.mitigations import mitigations, remedied
from harness.report.comparison import _entry
from harness.run import set_up
from harness.scenario import Arbitrageur, ExternalMarket, dump_scenario, load_scenario


def pair(several):
    """Two markets that infect each other, in few blocks."""
    rows = [(100.0, round(100 * 800 / (1.01 + 0.02 * i), 2)) for i in range(6)]
    return several.scenario(
        falls=(0.96, 0.92, 0.88, 0.84, 0.80, 0.76),
        markets=[several.market("left"), several.market("right")],
        populations=[several.positions("left", rows), several.positions("right", rows)],
        agents=[
            several.liquidator("one", "left"),
            several.liquidator("two", "right"),
            Arbitrageur(
                "arbitrageur", "eth-usdx", 1e8, bid=several.FREE, min_profit_usd=1, fee_deposit=1e3
            ),
        ],
        external=ExternalMarket(2e4, 0, 0),
    )


def test_contagion_is_a_figure_of_the_comparison(several):
    found = compare(pair(several), ["bounded-bonus"], (1, 2), with_contagion=True)
    matrix = found.contagion
    assert set(matrix) == {BASELINE, "bounded-bonus"}
    for name in matrix:
        level = found.levels[name]["contagion_usd"]
        off = sum(matrix[name][i][j].mean for i in matrix[name] for j in matrix[name] if i != j)
        assert level.mean == pytest.approx(off, rel=1e-12)
    assert matrix[BASELINE]["left"]["right"].mean > 0
    assert matrix[BASELINE]["left"]["right"].low is not None
    assert "contagion between venues" in comparison_table(found)


def test_contagion_is_left_out_where_it_was_not_asked_for(several):
    found = compare(pair(several), ["bounded-bonus"], (1,))
    assert found.contagion is None
    assert found.as_json()["contagion"] is None
    assert "contagion" not in comparison_table(found)


@pytest.mark.slow
def test_command_prints_the_matrix_with_intervals(several, tmp_path, capsys):
    file = tmp_path / "pair.toml"
    file.write_text(dump_scenario(pair(several)), "utf-8")
    arguments = ["compare", str(file), "--mitigations", "bounded-bonus", "--contagion", "--json"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    written = json.loads(capsys.readouterr().out)
    assert len(written["contagion"][BASELINE]["left"]["right"]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["shared-collateral", "five-venue-founder", "curated-vaults"])
@pytest.mark.parametrize("remedy", sorted(mitigations()))
def test_every_remedy_can_be_applied_to_venues_together(scenario, remedy):
    changed = remedied(load_scenario(scenario), remedy)
    assert set_up(changed, 0)[1].venues


def test_an_entry_is_shown_with_its_interval_where_that_has_a_width():
    assert _entry(1234.0, 1000.0, 1500.0) == (
        '$1,234<br><span class="wraps"><span>[$1,000,</span> <span>$1,500]</span></span>'
    )
    assert _entry(-5.0, -5.0, -5.0) == _entry(-5.0, None, None) == "\N{MINUS SIGN}$5"
