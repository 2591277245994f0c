"""Killing any process of a sweep at any moment loses nothing and repeats nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import harness
from harness.cli import main
from harness.errors import ScenarioError
from harness.experiments.runner import Runner
from harness.experiments.store import Store
from harness.experiments.sweep import Sweep
from harness.experiments.sweep_dir import SweepDirectory
from harness.experiments.trial import TrialRow

from .conftest import CRASH

TRIALS = 12
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


def start(out: Path, *arguments: str) -> subprocess.Popen[bytes]:
    package = str(Path(harness.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "sweep", str(CRASH), "--out", str(out), "-q", *arguments],
        env={**os.environ, "PYTHONPATH": package},
        stderr=subprocess.DEVNULL,
    )


def finished(out: Path) -> dict[str, int]:
    """The trials that are there, with the time each file was written."""
    return {file.name: file.stat().st_mtime_ns for file in (out / "trials").glob("*.json")}


def wait_for(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if (out / "trials").is_dir() and len(finished(out)) >= count:
            return
        time.sleep(0.002)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "sweep"
    assert main(["sweep", str(CRASH), "--out", str(out), "-q", "--workers", "1"]) == 0
    return out


def same_tables(out: Path, other: Path) -> bool:
    names = ("results.json", "results.parquet")
    return all((out / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_a_sweep_killed_again_and_again_loses_and_repeats_nothing(
    whole: Path, tmp_path: Path
) -> None:
    out, kept = tmp_path / "sweep", {}
    for count in (1, 7):
        process = start(out, "--workers", "1", "--resume")
        wait_for(out, count, process)
        process.kill()
        process.wait()
        now = finished(out)
        assert kept.items() <= now.items(), "a finished trial was lost or run again"
        assert len(now) >= count
        kept = now
        assert json.loads((out / "sweep.json").read_text())["status"] == "running"
        assert not (out / "results.json").exists()
    assert start(out, "--workers", "1", "--resume").wait() == 0
    assert kept.items() <= finished(out).items()
    assert len(finished(out)) == TRIALS
    assert same_tables(out, whole)
    assert not list((out / "trials").glob("*.tmp"))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children in /proc")
def test_a_killed_worker_costs_no_trial(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    process = start(out, "--workers", "2")
    wait_for(out, 3, process)
    workers = [
        child
        for child in children(process.pid)
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    os.kill(workers[0], signal.SIGKILL)
    assert process.wait() == 0
    assert same_tables(out, whole)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children in /proc")
def test_workers_end_when_the_sweep_is_killed(tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    process = start(out, "--workers", "2")
    wait_for(out, 2, process)
    workers = children(process.pid)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_a_complete_sweep_resumed_runs_nothing(whole: Path) -> None:
    before = finished(whole)
    again = ["sweep", str(CRASH), "--out", str(whole), "-q", "--resume", "--workers", "1"]
    assert main(again) == 0
    assert finished(whole) == before


def test_a_changed_sweep_is_refused(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for change in (["--seed", "1"], ["--set", "clock.blocks=23"], ["--engine", "py-evm"]):
        again = ["sweep", str(CRASH), "--out", str(whole), "--resume", *change]
        assert main(again) == 2
        assert "has changed since" in capsys.readouterr().err
    assert json.loads((whole / "sweep.json").read_text())["status"] == "complete"


def test_an_unfinished_sweep_is_not_thrown_away(crash: Sweep, tmp_path: Path) -> None:
    directory = SweepDirectory(tmp_path / "out", crash, "", resume=False)
    directory.interrupt()
    with pytest.raises(ScenarioError, match="--resume: an unfinished sweep is there"):
        SweepDirectory(tmp_path / "out", crash, "", resume=False)
    SweepDirectory(tmp_path / "out", crash, "", resume=True)


def test_a_folder_with_other_things_is_left_alone(crash: Sweep, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("...")
    for resume in (False, True):
        with pytest.raises(ScenarioError, match=r"it holds thesis\.tex"):
            SweepDirectory(tmp_path, crash, "", resume=resume)


def test_a_file_that_is_no_row_is_run_again(crash: Sweep, tmp_path: Path) -> None:
    store = Store(tmp_path)
    trials = crash.trials()[:2]
    with Runner(store=store) as runner:
        first, second = runner.run(trials)
        for text in ("", "{", "[]", "{}", json.dumps(second.as_json())):
            (tmp_path / f"{first.key}.json").write_text(text)
            assert store.get(first.key) is None
            assert runner.run(trials) == [first, second]
            assert store.get(first.key) == first


def test_rows_survive_their_file() -> None:
    row = TrialRow("k", 3, "complete", None, "0x1", ("A", "B"), True, {"x": 0.1, "y": None, "z": 3})
    assert TrialRow.from_json(json.loads(json.dumps(row.as_json()))) == row


def test_trials_of_changed_code_run_again(
    crash: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    with Runner(store=store) as runner:
        runner.run(crash.trials()[:1])
    monkeypatch.setattr("harness.experiments.trial.code_version", lambda: "another")
    assert store.count(trial.key for trial in crash.trials()) == 0


def test_rows_already_there_are_not_run(crash: Sweep, tmp_path: Path) -> None:
    trials = crash.trials()[:3]
    store = Store(tmp_path)
    planted = TrialRow(trials[1].key, trials[1].seed, "complete", digest="planted")
    store.put(planted)
    told: list[int] = []
    with Runner(store=store) as runner:
        rows = runner.run(trials, told.append)
    assert rows[1] == planted
    assert told == [2, 3], "told of what runs"
