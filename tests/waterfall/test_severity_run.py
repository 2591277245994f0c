"""Severity of deleveraging in a scenario: what winners are asked for, what others are left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.errors import ScenarioError
from harness.metrics.waterfall import left_by_funds, loss_by_step
from harness.run import RunResult, run, set_up
from harness.scenario import dump_scenario, load_scenario, parse_scenario

SMALL = (Path(__file__).parent / "small.set").read_text("utf-8").split()
SEED = 0


def at(severity_bps: int, **fields: Any) -> RunResult:
    """The small version of adl-october at this severity."""
    terms = {"severity_bps": severity_bps, **fields}
    changes = [f"venue.house.{name}={value}" for name, value in terms.items()]
    return run(load_scenario("adl-october", [*SMALL, *changes]), SEED)


def test_a_house_has_a_budget_only_where_a_scenario_asks_for_one() -> None:
    changes = ([], ["venue.house.severity_bps=10_000"], ["venue.house.severity_bps=9_999"])
    scenarios = [load_scenario("adl-october", [*SMALL, *change]) for change in changes]
    silent, whole, less = (set_up(scenario, SEED)[1].setup.transactions for scenario in scenarios)
    assert silent == whole != less


@pytest.mark.parametrize(
    "policy",
    ["hyperliquid-queue", "bankruptcy-price", pytest.param("pro-rata", marks=pytest.mark.slow)],
)
def test_winners_pay_at_most_the_share_and_the_steps_after_them_the_rest(policy: str) -> None:
    result = at(3_000, policy=policy)
    assert all(result.summary["checks"]["invariants"].values()), result.summary["warnings"]
    assert result.summary["checks"]["invariants"]["CLR-8"]
    steps, left = loss_by_step(result.run, "alts"), left_by_funds(result.run, "alts")
    rounds = result.summary["waterfall"]["alts"]["rounds"]
    assert steps["deleveraging"] > 0
    # rounded down in every round; pro rata, or through the price, by units for every account
    rounding = 1_000 * rounds
    if policy == "hyperliquid-queue":
        assert steps["deleveraging"] <= left * 3_000 // 10_000
    assert steps["deleveraging"] <= left * 3_000 // 10_000 + rounding
    assert steps["vault"] + steps["unpaid"] >= left * 7_000 // 10_000 - rounding
    booked = sum(r.amount for r in result.run.losses if r.venue == "alts" and r.by == "nobody")
    if policy != "bankruptcy-price":  # through the price, what is paid is never booked
        assert sum(steps.values()) == booked


def test_what_is_left_goes_to_all_winners_where_there_is_that_step() -> None:
    result = at(3_000, all_winners="true")
    steps = loss_by_step(result.run, "alts")
    assert steps["winners"] > steps["deleveraging"] > 0
    assert all(result.summary["checks"]["invariants"].values())


@pytest.mark.slow
def test_none_of_it_spares_winners() -> None:
    result = at(0, policy="bankruptcy-price")
    figures = result.summary["waterfall"]["alts"]
    assert loss_by_step(result.run, "alts")["deleveraging"] == 0
    assert figures["winners"]["paid"] == 0
    assert figures["winners"]["closed_usd"] > 0
    left = figures["severity"]["left_by_funds_usd"]
    paid = figures["loss_by_step_usd"]
    assert paid["vault"] + paid["unpaid"] == pytest.approx(left + figures["residual_usd"], abs=1e-3)
    assert figures["time_to_close"]["open"] == 0


def test_it_survives_the_file() -> None:
    scenario = load_scenario("adl-october", ["venue.house.severity_bps=2500"])
    assert "severity_bps = 2500" in dump_scenario(scenario)
    assert parse_scenario(dump_scenario(scenario)) == scenario


@pytest.mark.parametrize("value", ["10_001", "-1", "0.5", "half", "true"])
def test_what_is_no_share_is_refused(value: str) -> None:
    with pytest.raises(
        ScenarioError, match=r"venue\[\d\].severity_bps = .*an integer >= 0 and <= 10000"
    ):
        load_scenario("adl-october", [f"venue.house.severity_bps={value}"])


def test_terminal_and_page_say_what_deleveraging_was_to_recover(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = [*SMALL, "venue.house.severity_bps=3_000"]
    sets = [word for change in changes for word in ("--set", change)]
    folder = tmp_path / "run"
    assert cli.main(["run", "adl-october", *sets, "--out", str(folder)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "of a profit and 30% of what funds left unpaid" in told
    assert cli.main(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text("utf-8")
    assert "deleveraging was to recover at most 30%, and recovered" in page
