"""Replays on real series, one on real positions too, print what is committed beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPLAYS = sorted((Path(__file__).parents[2] / "scripts" / "replays").glob("*.py"))


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("LIQUIDATION_HARNESS_DATA"),
    reason="LIQUIDATION_HARNESS_DATA names no folder of real files",
)
@pytest.mark.parametrize("replay", REPLAYS, ids=lambda path: path.stem)
def test_replay_prints_what_is_committed(replay):
    done = subprocess.run(
        [sys.executable, str(replay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == replay.with_suffix(".txt").read_text("utf-8")


@pytest.mark.parametrize("replay", REPLAYS, ids=lambda path: path.stem)
def test_replay_without_data_says_so_in_one_line(replay):
    clean = {name: value for name, value in os.environ.items() if "HARNESS_DATA" not in name}
    done = subprocess.run(
        [sys.executable, str(replay)], capture_output=True, text=True, check=False, env=clean
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
