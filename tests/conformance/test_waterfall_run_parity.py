"""A whole run with a clearing house, its rounds and its twin included, on a node and in process."""

from __future__ import annotations

from pathlib import Path

from harness.run import RunResult, run
from harness.scenario import load_scenario

SMALL = (Path(__file__).parent.parent / "waterfall" / "small.set").read_text("utf-8").split()


def fallen(engine: str | None = None) -> RunResult:
    return run(load_scenario("adl-october", SMALL), 0, engine)


def paid(result: RunResult) -> dict[str, float]:
    by_step: dict[str, float] = result.summary["waterfall"]["alts"]["loss_by_step_usd"]
    return by_step


def test_a_run_with_a_clearing_house_is_the_same_on_a_node(anvil) -> None:
    there, here = fallen(f"rpc:{anvil.url}"), fallen()
    assert all(paid(here)[step] for step in ("insurance", "stake", "default_fund", "assessment"))
    assert paid(here)["deleveraging"] > 0
    assert there.summary["digest"] == here.summary["digest"]
    assert there.summary["exact"] == here.summary["exact"]
