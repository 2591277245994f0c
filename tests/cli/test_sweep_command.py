"""``harness sweep`` at the command line: what it prints, writes, refuses and returns."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import CRASH, Cli, background, command, environment, one_line

FALL = 'set = [{ path = "asset.ETH.price.shock[0].factor", times = -1, plus = 1 }]\n'
HEAD = f'schema = 1\nname = "falls"\nscenario = "{CRASH}"\nset = ["clock.blocks=16"]\n'
GRID = HEAD + f'[[parameter]]\nname = "fall"\nvalues = [0.1, 0.4]\n{FALL}'
SEARCH = (
    HEAD + '[search]\nkind = "shock"\npath = "asset.ETH.price.shock[0].factor"\n'
    "low = 0.1\nhigh = 0.6\ngrid = 2\ntolerance = 0.1\n"
)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    file = tmp_path / "falls.toml"
    file.write_text(GRID)
    return file


def test_the_table_fits_and_the_folder_holds_every_trial(
    cli: Cli, sweep: Path, tmp_path: Path
) -> None:
    outcome = cli("sweep", sweep, "--workers", 1, "--set", "expect=quiet")
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    lines = outcome.out.splitlines()
    assert lines[0] == "falls: 2 points of crash, 1 seed each"
    assert lines[-1] == "written to runs/sweep-falls"
    assert max(map(len, lines)) <= 80
    folder = tmp_path / "runs" / "sweep-falls"
    rows = json.loads((folder / "results.json").read_text())["trials"]
    table = pq.read_table(folder / "results.parquet").to_pylist()
    assert [row["set"] for row in rows] == [{"fall": 0.1}, {"fall": 0.4}]
    assert [row["set.fall"] for row in table] == [0.1, 0.4]
    for row, entry in zip(rows, table, strict=True):
        assert {name: entry[name] for name in row["figures"]} == row["figures"]
        assert entry["digest"] == row["digest"]
    assert len(list((folder / "trials").glob("*.json"))) == 2
    assert json.loads((folder / "sweep.json").read_text())["status"] == "complete"


def test_json_is_one_object_and_nothing_else(cli: Cli, sweep: Path) -> None:
    content = cli("sweep", sweep, "--workers", 1, "--json").json()
    assert [trial["status"] for trial in content["trials"]] == ["complete"] * 2


def test_a_search_says_the_critical_point_and_how_many_runs_it_took(cli: Cli, sweep: Path) -> None:
    sweep.write_text(SEARCH)
    outcome = cli("sweep", sweep, "--workers", 1, "--seed", 3)
    assert "falls: smallest shock of crash, 1 seed" in outcome.out
    content = cli("sweep", sweep, "--workers", 1, "--seed", 3, "--json").json()
    (found,) = content["critical"]
    assert found["runs"] == len(content["trials"]) < found["grid_runs"]
    assert f"{found['runs']} runs, where a grid as fine takes {found['grid_runs']}" in outcome.out
    ((good, bad),) = [(each["solvent"], each["insolvent"]) for each in found["brackets"]]
    assert found["value"] == bad
    assert 0 < bad - good <= 0.1
    insolvent = {
        trial["set"]["shock"]: trial["figures"]["insolvency_bps"] > 1 for trial in content["trials"]
    }
    assert insolvent[bad]
    assert not insolvent[good]


def test_a_failed_trial_is_a_row_and_the_sweep_exits_with_1(cli: Cli, sweep: Path) -> None:
    sweep.write_text(
        HEAD + '[[parameter]]\npath = "venue.market.asset.ETH.ltv_bps"\nvalues = [8000, 9000]'
    )
    outcome = cli("sweep", sweep, "--workers", 1)
    assert outcome.code == 1
    assert outcome.err == "harness: check failed: 1 of 2 trials failed\n"
    assert "ltv_bps = 9000: at most liquidation_threshold_bps 8300" in outcome.out


def test_a_sweep_in_which_nothing_happens_fails(cli: Cli, sweep: Path) -> None:
    sweep.write_text(GRID.replace("0.4", "0.0001").replace("[0.1", "[0.0002"))
    outcome = cli("sweep", sweep, "--workers", 1, "--quiet")
    assert outcome.code == 1
    assert "vacuous: nothing happened in any trial" in outcome.err


@pytest.mark.parametrize(
    ("content", "arguments", "named"),
    [
        (GRID, ["--executor", "ray"], ["--executor", "'ray'", "dask:ADDRESS"]),
        (GRID, ["--executor", "dask:nowhere"], ["--executor", "dask:nowhere"]),
        (GRID, ["--executor", "dask:tcp://h:1", "--workers", "2"], ["--workers", "Dask"]),
        (GRID, ["--workers", "0"], ["--workers", "0"]),
        (GRID, ["--engine", "geth"], ["--engine", "geth"]),
        (GRID, ["--set", "clock.bloks=3"], ["clock.bloks"]),
        (GRID + "[[parameter]]\npath='a.b'\nvalues=[1]", [], ["a", "known fields"]),
        (GRID.replace("[0.1, 0.4]", "[]"), [], ["parameter[0]", "low < high"]),
        (HEAD, [], ["parameter", "at least one"]),
        (HEAD + "seeds = 0", [], ["seeds", "0"]),
        (HEAD + "sedes = 3", [], ["sedes", "known fields"]),
        (GRID.replace(CRASH, "black-wednesday"), [], ["black-wednesday"]),
        (HEAD.replace("schema = 1", "schema = 2"), [], ["schema", "2"]),
        ("a = [", [], ["sweep", "valid TOML"]),
        (SEARCH.replace("shock", "tremor", 1), [], ["search.kind", "tremor"]),
        (SEARCH.replace("high = 0.6", "high = 0.05"), [], ["search.low, high"]),
        (SEARCH.replace("shock[0]", "shock[9]"), [], ["shock[9]"]),
    ],
)
def test_bad_input_is_refused_in_one_line(
    content: str, arguments: list[str], named: list[str], cli: Cli, sweep: Path, tmp_path: Path
) -> None:
    sweep.write_text(content)
    complaint = one_line(cli("sweep", sweep, *arguments), 2)
    for text in named:
        assert text in complaint
    assert list(tmp_path.iterdir()) == [sweep], "something was written"


def test_a_file_that_is_not_there_is_refused(cli: Cli) -> None:
    assert "No such file" in one_line(cli("sweep", "nowhere.toml"), 2)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_a_terminal_shows_progress_with_the_time_left(sweep: Path, tmp_path: Path) -> None:
    import pty

    sweep.write_text(GRID.replace("[0.1, 0.4]", str([0.1 + i / 100 for i in range(12)])))
    master, slave = pty.openpty()
    running = subprocess.Popen(
        command("sweep", sweep, "--workers", "1"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    written = b""
    while True:
        try:
            chunk = os.read(master, 65_536)
        except OSError:
            break
        if not chunk:
            break
        written += chunk
    out, _ = running.communicate()
    os.close(master)
    shown = re.findall(r"\r\[([#.]{30})\] +(\d+)%, (\d+) s left", written.decode())
    shares = [int(percent) for _, percent, _ in shown]
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert written.endswith(b"\r"), "the bar was not taken away"
    assert b"[#" not in out


def interrupted(folder: Path, running: subprocess.Popen[str]) -> int:
    """Interrupts a sweep as a terminal does; the number of trials it leaves behind."""
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=60)
    told = "harness: interrupted; with --resume it goes on from there\n"
    assert (running.returncode, out, err) == (130, "", told)
    assert json.loads((folder / "sweep.json").read_text())["status"] == "interrupted"
    return len(list((folder / "trials").glob("*.json")))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_with_130_and_leaves_what_is_finished(sweep: Path, tmp_path: Path) -> None:
    sweep.write_text(GRID.replace("[0.1, 0.4]", str([0.1 + i / 1000 for i in range(120)])))
    running = background("sweep", sweep, "--workers", "2", "--out", "out", cwd=tmp_path)
    trials = tmp_path / "out" / "trials"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(trials.glob("*.json"))) < 2:
        time.sleep(0.01)
    assert 2 <= interrupted(tmp_path / "out", running) < 120


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("moment", [0.0, 0.1, 0.2, 0.4, 0.8])
def test_ctrl_c_ends_with_130_while_workers_start(
    moment: float, sweep: Path, tmp_path: Path
) -> None:
    sweep.write_text(GRID.replace("[0.1, 0.4]", str([0.1 + i / 1000 for i in range(120)])))
    running = background("sweep", sweep, "--workers", "2", "--out", "out", cwd=tmp_path)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "out" / "sweep.json").exists():
        time.sleep(0.01)
    time.sleep(moment)
    assert interrupted(tmp_path / "out", running) < 120
