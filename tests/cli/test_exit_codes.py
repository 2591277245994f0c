"""Exit codes 1, 3 and 130, and what a run leaves when it does not end well."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import CRASH, Cli, background, command, environment, one_line

NO_SHOCK = "asset.ETH.price.shock=[]"


def status(folder: Path) -> str:
    return str(json.loads((folder / "manifest.json").read_text())["status"])


def test_a_vacuous_run_says_so_and_fails(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("run", CRASH, "--set", NO_SHOCK, "--json")
    assert outcome.code == 1
    assert outcome.json()["checks"]["vacuous"] is True
    assert outcome.err.startswith("harness: check failed: vacuous: ")
    assert status(tmp_path / "runs" / "crash-0") == "complete"


def test_a_scenario_that_expects_quiet_may_be_quiet(cli: Cli) -> None:
    assert cli("run", CRASH, "--set", NO_SHOCK, "--set", "expect=quiet", "-q").code == 0


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("Dying", "no answer to block 21"),
        ("Raising", "LookupError: no such thing (-v shows where)"),
        ("FullDisk", "No space left on device"),
    ],
)
def test_a_failure_in_mid_run_is_one_line_and_marks_the_run(
    engine: str, said: str, cli: Cli, tmp_path: Path
) -> None:
    outcome = cli("run", CRASH, "--engine", f"faulty_engines:{engine}", "--out", "out")
    assert said in one_line(outcome, 3)
    assert status(tmp_path / "out") == "interrupted"
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_a_disk_that_fills_up_while_results_are_written_is_one_line(tmp_path: Path) -> None:
    run = shlex.join(command("run", CRASH, "--out", "out"))
    shell = subprocess.run(
        ["/bin/bash", "-c", f"ulimit -f 4; exec {run}"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (shell.returncode, shell.stdout) == (3, "")
    assert re.fullmatch(r"harness: out cannot be completed: .*too large.*\n", shell.stderr)
    assert status(tmp_path / "out") == "interrupted"


def test_verbose_shows_where_code_from_outside_failed(cli: Cli) -> None:
    outcome = cli("run", CRASH, "--engine", "faulty_engines:Raising", "-v")
    assert outcome.code == 3
    assert "faulty_engines.py" in outcome.err
    assert outcome.err.endswith("harness: LookupError: no such thing\n")


def test_an_interrupted_run_can_be_run_again(cli: Cli, tmp_path: Path) -> None:
    engine = "faulty_engines:Interrupted"
    assert one_line(cli("run", CRASH, "--engine", engine, "--out", "out"), 130) == "interrupted"
    assert status(tmp_path / "out") == "interrupted"
    assert cli("run", CRASH, "--out", "out", "-q").code == 0
    assert status(tmp_path / "out") == "complete"


def start(folder: Path) -> subprocess.Popen[str]:
    """A run of some seconds, under way."""
    process = background(
        "run", CRASH, "--engine", "faulty_engines:Slow", "--out", "out", cwd=folder
    )
    deadline = time.monotonic() + 60
    while not (folder / "out" / "manifest.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_ctrl_c_ends_with_130_and_a_manifest_that_says_interrupted(
    cli: Cli, tmp_path: Path
) -> None:
    run = start(tmp_path)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out, err) == (130, "", "harness: interrupted\n")
    assert status(tmp_path / "out") == "interrupted"
    refused = one_line(cli("verify", "out"), 2)
    assert "out (interrupted)" in refused


def test_kill_9_leaves_a_manifest_that_says_running(cli: Cli, tmp_path: Path) -> None:
    run = start(tmp_path)
    run.kill()
    run.communicate(timeout=60)
    assert status(tmp_path / "out") == "running"
    assert "out (running)" in one_line(cli("verify", "out"), 2)


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    line = " ".join(command("list"))
    shell = subprocess.run(  # noqa: S602 - a pipe is what is tested
        f"{line} | true; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (shell.returncode, shell.stderr) == (0, "")
