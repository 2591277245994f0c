"""Scans of all accounts are skipped only where they would have found what is known already."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import pytest

from harness.run import RunResult, run
from harness.scenario import load_scenario
from harness.view import _Watch

#: two days of crash, then two in which no price moves
CRASH_AND_CALM = [
    "population.retail.count=64",
    "clock.blocks=192",
    "clock.seconds_per_block=1800",
    "asset.ETH.price.max_gap_s=0",
    "asset.ETH.feed.max_age_s=90000",
    "asset.DAI.feed.max_age_s=90000",
]


def _crash_and_calm() -> RunResult:
    return run(load_scenario("black-thursday", CRASH_AND_CALM), 7)


def _everything(result: RunResult) -> list[Any]:
    return [astuple(trace) for trace in (result.run, result.twin)]


def test_skipped_scans_would_have_changed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = _Watch.steady
    skipped = []

    def counted(watch: _Watch, *arguments: Any) -> bool:
        clear = steady(watch, *arguments)
        # with accounts below the bound as well as above it
        skipped.append(clear and watch._below > 0)
        return clear

    monkeypatch.setattr(_Watch, "steady", counted)
    with_skips = _crash_and_calm()
    assert sum(skipped) > 50
    assert any(block.venues["aave"].unhealthy for block in with_skips.run.blocks[-10:])

    monkeypatch.setattr(_Watch, "steady", lambda *_: False)
    without = _crash_and_calm()
    assert _everything(with_skips) == _everything(without)
