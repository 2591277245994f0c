"""The default waterfall in a run: who paid adds up, keepers fit into blocks, each policy works."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.agents.waterfall import DELEVERAGE_GAS, FINISH_GAS, LIST_GAS, OPEN_GAS
from harness.cuts import UNCUT
from harness.engine import open_engine
from harness.errors import ScenarioError
from harness.metrics.losses import losses
from harness.metrics.outcome import outcome
from harness.metrics.waterfall import (
    Haircut,
    by_rank,
    haircuts,
    largest_haircut,
    loss_by_step,
    losses_taken,
)
from harness.mitigations import remedied
from harness.run import RunResult, Stage, run
from harness.scenario import load_scenario
from harness.testing.recording_engine import RecordingEngine

SMALL = (Path(__file__).parent / "small.set").read_text("utf-8").split()
SEED = 0


@pytest.fixture(scope="module")
def fallen() -> RunResult:
    """The alts of 10 October, a fiftieth of them, from 21:14 on."""
    return run(load_scenario("adl-october", SMALL), SEED)


def test_who_paid_adds_up_to_what_the_exchange_booked_to_the_wei(fallen: RunResult) -> None:
    booked = sum(
        row.amount for row in fallen.run.losses if row.venue == "alts" and row.by == "nobody"
    )
    steps = loss_by_step(fallen.run, "alts")
    losses, residuals = losses_taken(fallen.run, "alts")
    assert booked > 0
    assert sum(steps.values()) == booked
    assert losses + residuals <= booked  # what is reported and not taken yet is booked, too
    for step in ("insurance", "stake", "default_fund", "assessment", "deleveraging"):
        assert steps[step] > 0, step
    assert fallen.summary["checks"]["invariants"]["CLR-5"]
    exact = fallen.summary["exact"]
    assert exact["waterfall.loss_by_step.stake"] == {"USDC": str(steps["stake"])}


def test_the_ledger_names_whose_the_stake_and_the_default_fund_were(fallen: RunResult) -> None:
    rows = losses(fallen)
    steps = loss_by_step(fallen.run, "alts")
    (row,) = [row for row in rows if row.role == "stake and default fund"]
    assert (row.venue, row.asset) == ("house", "USDC")
    # assessments pass through the fund; some paid in the last rounds may lie there still
    assert row.amount == -(steps["stake"] + steps["default_fund"] + steps["own_share"])
    assert all(row.role != "others" for row in rows)


def test_no_winner_pays_more_than_its_profit(fallen: RunResult) -> None:
    cut = haircuts(fallen.run, "alts")
    assert any(each.paid for each in cut)
    assert all(each.paid <= each.wealth for each in cut)
    assert sum(map(len, by_rank(fallen.run, "alts"))) == len(cut)


def test_largest_haircut_is_a_share_of_all_that_an_account_had_to_lose() -> None:
    """The first account loses its 10, gains 30 and loses 15 of them: 25 of the 40 it would have had
    in the second round. The second loses 12 of 20, and 2 of the 8 that are left: 14 of 20."""
    rows = [
        Haircut(1, 1, 1, 10, 10, 0),
        Haircut(1, 2, 2, 20, 12, 0),
        Haircut(2, 1, 1, 30, 15, 0),
        Haircut(2, 2, 2, 8, 2, 0),
    ]
    assert largest_haircut(rows[:1]) == 1
    assert largest_haircut([row for row in rows if row.account == 1]) == 25 / 40
    assert largest_haircut(rows) == 14 / 20
    assert largest_haircut([]) is None


def test_haircuts_are_the_deleveraging_step(fallen: RunResult) -> None:
    cut = sum(each.paid for each in haircuts(fallen.run, "alts"))
    assert cut == loss_by_step(fallen.run, "alts")["deleveraging"]


def test_keepers_make_one_call_a_block_and_none_reverts(fallen: RunResult) -> None:
    calls = [t for t in fallen.run.transactions if t.agent == "alts-keeper" and t.place >= 0]
    assert {t.action for t in calls} >= {
        "waterfall_open",
        "waterfall_list",
        "waterfall_deleverage",
        "waterfall_finish",
    }
    assert {t.status for t in calls} == {"succeeded"}
    blocks = [t.block for t in calls if t.action.startswith("waterfall")]
    assert len(blocks) == len(set(blocks))
    limit = fallen.scenario.block_space.gas_limit
    used: defaultdict[int, int] = defaultdict(int)
    for sent in fallen.run.transactions:
        if sent.place >= 0:
            used[sent.block] += sent.gas
    assert max(used.values()) <= limit


def test_the_margin_of_members_who_are_called_goes_to_the_venue_that_calls_them() -> None:
    changes = ["venue.house.member_populations=['alts-longs']", "venue.house.margin=20_000"]
    result = run(load_scenario("adl-october", [*SMALL, *changes]), SEED)
    moved = [t for t in result.run.transactions if t.action == "waterfall_allocate"]
    assert {(t.agent, t.status) for t in moved} == {("alts-keeper", "succeeded")}
    (row,) = [row for row in losses(result) if row.role == "stake and default fund"]
    assert row.amount < 0
    assert all(result.summary["checks"]["invariants"].values()), result.summary["warnings"]


def test_the_summary_says_how_long_it_took_and_what_insurance_was_needed(
    fallen: RunResult,
) -> None:
    figures = fallen.summary["waterfall"]["alts"]
    solvency = fallen.summary["solvency"]
    assert solvency["adl_usd"] > 0
    steps = figures["loss_by_step_usd"]
    winners = steps["deleveraging"] + steps["winners"]
    shared = winners + steps["vault"] + solvency["deficit_usd"]
    shared += sum(venue["carried_by_vault_usd"] for venue in solvency["by_venue"].values())
    assert solvency["socialized_loss_usd"] == pytest.approx(shared, abs=1e-4)
    told = outcome(fallen)
    assert told.winners_loss_usd == winners > 0
    assert told.supplier_loss_usd == pytest.approx(shared - winners, abs=1e-4)
    times = figures["time_to_close"]
    assert times["closed"] + times["open"] <= figures["reported"]
    assert 0 < times["median_blocks"] <= times["longest_blocks"]
    insurance = figures["insurance"]
    assert insurance["needed_usd"] == pytest.approx(
        sum(figures["loss_by_step_usd"].values()) - figures["loss_by_step_usd"]["margin"]
    )
    assert insurance["var_rule_usd"] > 0
    assert fallen.summary["waterfall"]["majors"]["reported"] == 0


@pytest.mark.parametrize(
    "name",
    ["adl-bitmex", "adl-bankruptcy", "adl-pro-rata", "adl-pro-rata-notional+adl-all-winners"],
)
def test_each_policy_is_a_remedy_that_keeps_the_books(name: str) -> None:
    result = run(remedied(load_scenario("adl-october", SMALL), name), SEED)
    checks = result.summary["checks"]["invariants"]
    assert all(checks.values()), result.summary["warnings"]
    assert checks["CLR-2"]
    assert checks["CLR-5"]
    assert result.summary["waterfall"]["alts"]["winners"]["paid"] > 0


def test_pro_rata_asks_more_winners_for_less(fallen: RunResult) -> None:
    spread = run(remedied(load_scenario("adl-october", SMALL), "adl-pro-rata"), SEED)
    queue, shared = (each.summary["waterfall"]["alts"]["winners"] for each in (fallen, spread))
    assert shared["paid"] > queue["paid"]
    assert shared["largest_haircut"] < queue["largest_haircut"]


def test_the_run_directory_has_payments_and_haircuts_and_the_page_shows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow.parquet as pq

    folder = tmp_path / "run"
    sets = [word for change in SMALL for word in ("--set", change)]
    assert cli.main(["run", "adl-october", *sets, "--out", str(folder), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    paid = pq.read_table(folder / "waterfall.parquet").to_pydict()
    total = sum(int(amount) for amount in paid["amount"])
    assert total / 10**6 == pytest.approx(
        sum(summary["waterfall"]["alts"]["loss_by_step_usd"].values()), rel=1e-6
    )
    cut = pq.read_table(folder / "haircuts.parquet").to_pydict()
    assert set(cut) == {"venue", "round", "place", "account", "wealth", "paid", "closed"}
    assert cli.main(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text("utf-8")
    assert 'id="waterfall"' in page
    assert "Haircuts by rank" in page
    (told,) = re.findall(r"([^>]*) were written off at the prices of the moment([^<]*)", page)
    figures = [Decimal(text.replace(",", "")) for text in re.findall(r"\$([\d,]+)", "".join(told))]
    written, *shares = figures
    assert abs(written - sum(shares)) <= len(figures)  # each rounded to a dollar
    assert "Isolated markets" not in "".join(told)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ('venue.house.venues=["majors","alts","spot"]', "venues[2]"),
        ('venue.house.venues=["alts","alts"]', "venues[1]"),
        ('venue.house.member_populations=["nobody"]', "member_populations[0]"),
        ("venue.house.contribution=0", "contribution"),
        ("venue.house.policy=fifo", "policy"),
        ("agent.alts-keeper.venue=spot", "venue"),
    ],
)
def test_bad_input_names_the_field(change: str, field: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario("adl-october", [change])
    assert field in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "terms",
    [[], ["venue.house.severity_bps=5000", "venue.house.policy=bankruptcy-price"]],
    ids=["whole", "half, at the price"],
)
def test_every_call_uses_at_most_the_gas_it_declares(terms: list[str]) -> None:
    scenario = load_scenario("adl-october", [*SMALL, *terms])
    engine = RecordingEngine(open_engine("py-evm"))
    stage = Stage(scenario, SEED, engine)
    house = stage.world.clearing["house"].house
    stage.play(UNCUT, keep=True)
    declared = {"open": OPEN_GAS, "list": LIST_GAS, "deleverage": DELEVERAGE_GAS}
    declared["finish"] = FINISH_GAS
    selectors = {
        house.encode(name, bytes(20), [] if name == "list" else 1)[:4]: name for name in declared
    }
    seen: dict[str, Any] = defaultdict(list)
    for block, receipts in engine.history:
        for sent, receipt in zip(block.transactions, receipts, strict=True):
            name = selectors.get(sent.data[:4]) if sent.to == house.address else None
            if name is not None:
                at = 68 if name == "list" else 36
                count = int.from_bytes(sent.data[at : at + 32], "big")
                assert receipt.gas_used is not None
                assert receipt.gas_used <= declared[name].of(count), (name, count)
                seen[name].append(receipt.gas_used)
    print(dict(seen))
    assert set(seen) == set(declared)
