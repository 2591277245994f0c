"""``harness run --contagion``: the summary and the table say the same, in integers."""

from __future__ import annotations

import json

import pyarrow.parquet as pq

from harness.cli import main
from harness.scenario import Arbitrageur, ExternalMarket, dump_scenario


def test_matrix_is_in_the_summary_and_in_a_table(several, tmp_path, capsys):
    rows = [(100.0, round(100 * 800 / (1.01 + 0.02 * i), 2)) for i in range(6)]
    arbitrageur = Arbitrageur(
        "arbitrageur", "eth-usdx", 1e8, bid=several.FREE, min_profit_usd=1, fee_deposit=1e3
    )
    scenario = several.scenario(
        falls=(0.96, 0.92, 0.88, 0.84, 0.80, 0.76),
        markets=[several.market("left"), several.market("right")],
        populations=[several.positions("left", rows), several.positions("right", rows)],
        agents=[
            several.liquidator("one", "left"),
            several.liquidator("two", "right"),
            arbitrageur,
        ],
        external=ExternalMarket(2e4, 0, 0),
    )
    file, out = tmp_path / "several.toml", tmp_path / "run"
    file.write_text(dump_scenario(scenario), "utf-8")
    assert main(["run", str(file), "--contagion", "--out", str(out), "--seed", "11"]) == 0
    printed = capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    matrix, exact = summary["contagion"]["matrix"], summary["exact"]
    assert matrix["left"]["right"] > 0
    table = pq.read_table(out / "contagion.parquet").to_pylist()
    for i in ("left", "right"):
        for j in ("left", "right"):
            entries = [r["entry"] for r in table if (r["from_venue"], r["to_venue"]) == (i, j)]
            assert sum(entries) == int(exact[f"contagion.matrix.{i}"][j])
            assert abs(matrix[i][j] - int(exact[f"contagion.matrix.{i}"][j]) / 1e18) < 1e-6
    by_price = float(sum(r["entry"] for r in table if r["channel"] == "price")) / 1e18
    shown = printed.partition("entries by channel: ")[2]
    assert shown.startswith(f"price +${by_price:,.0f}")
    assert "contagion.parquet" in json.loads((out / "manifest.json").read_text())["files"]
    assert main(["verify", str(out), "-q"]) == 0
    assert main(["run", str(file), "--out", str(out), "-q", "--seed", "11"]) == 0
    assert not (out / "contagion.parquet").exists()  # the earlier run is replaced, all of it


def test_a_run_without_the_flag_measures_no_contagion(several, tmp_path, capsys):
    scenario = several.scenario(
        falls=(0.9, 0.8),
        markets=[several.market("left")],
        populations=[several.positions("left", [(100.0, 79_000.0)])],
        agents=[several.liquidator("one", "left")],
        blocks=5,
    )
    file = tmp_path / "one.toml"
    file.write_text(dump_scenario(scenario), "utf-8")
    assert main(["run", str(file), "--json", "--out", str(tmp_path / "run")]) == 0
    assert json.loads(capsys.readouterr().out)["contagion"] is None
