"""What a person sees: a table that fits, colours and progress on a terminal only."""

from __future__ import annotations

import os
import pty
import re
import shlex
import struct
import subprocess
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pytest

from harness.run import RunResult, run
from harness.scenario import load_scenario
from harness.terminal import money, price, summary_table

from .conftest import CRASH, Cli, command, environment, process

COLOUR = re.compile(r"\x1b\[\d+m")


@pytest.fixture(scope="module")
def result() -> RunResult:
    name = "a-name-of-sixty-four-letters-" + "x" * 35
    title = "A title that is much longer than any terminal is wide, " * 3
    overrides = [f"name={name}", f"title={title}", f"venue.market.name={name}"]
    places = ["population.borrowers.venue", "agent.liquidator.venue"]
    overrides += [f"{place}={name}" for place in places]
    return run(load_scenario(CRASH, overrides), 1)


@pytest.mark.parametrize("width", [80, 72, 60])
def test_the_table_fits(width: int, result: RunResult) -> None:
    lines = summary_table(result, colour=False, width=width).splitlines()
    assert [line for line in lines if len(line) > width and not line.startswith("digest ")] == []
    assert not any(COLOUR.search(line) for line in lines)


def test_the_table_has_the_figures_of_run_and_twin(cli: Cli) -> None:
    outcome = cli("run", CRASH, "--out", "a")
    summary = cli("run", CRASH, "--out", "b", "--json").json()
    rows = {line[:30].strip(): line[30:].split() for line in outcome.out.splitlines()}
    assert rows["liquidations"][0] == str(summary["liquidations"]["count"])
    assert rows["debt they repaid"][0] == money(summary["liquidations"]["repaid_usd"])
    assert rows["insolvency"][0] == money(summary["solvency"]["insolvency_usd"])
    assert rows["amplification (with / without)"] == [f"{summary['cascade']['amplification']:.3f}"]
    assert f"digest {summary['digest']}" in outcome.out
    assert outcome.out.endswith("written to a\n")


def test_warnings_are_coloured_on_demand(result: RunResult) -> None:
    table = summary_table(result, colour=True)
    assert "\x1b[32minvariants hold: IDX-1" in table
    assert COLOUR.sub("", table) == summary_table(result, colour=False)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0"), (-0.2, "$0"), (-1234.6, "-$1,235"), (7_258_595.9, "$7,258,596"), (0.6, "$1")],
)
def test_money(amount: float, text: str) -> None:
    assert money(amount) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (61_234.5, "61,234"),
        (1_698.07, "1,698.1"),
        (194.6, "194.60"),
        (1.01, "1.0100"),
        (0.99963, "0.99963"),
        (0.0000234, "2.34e-05"),
    ],
)
def test_price(value: float, text: str) -> None:
    assert price(value) == text


def on_a_terminal(*arguments: object, cwd: Path, columns: int = 80, **variables: str) -> str:
    """Everything a command writes to a terminal."""
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        command(*arguments), cwd=cwd, env=environment(**variables), stdout=slave, stderr=slave
    ) as running:
        os.close(slave)
        written = b""
        while True:
            try:
                chunk = os.read(master, 65_536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not chunk:
                break
            written += chunk
    os.close(master)
    assert running.returncode in (0, 3)
    return written.decode()


def test_a_terminal_shows_progress_and_colours(tmp_path: Path) -> None:
    slow = ("run", CRASH, "--engine", "faulty_engines:Slow")
    written = on_a_terminal(*slow, cwd=tmp_path)
    shown = re.findall(r"\r\[([#.]{30})\] +(\d+)%, (\d+) s left", written)
    assert len(shown) > 3
    shares = [int(percent) for _, percent, _ in shown]
    assert shares == sorted(shares)
    assert shown[0][0].count("#") < shown[-1][0].count("#")
    assert "\x1b[32minvariants hold" in written
    bar, _, table = written.partition("crash, seed 0")
    assert bar.endswith("\r"), "the bar was not taken away"
    assert "[#" not in table


def test_a_narrow_terminal_is_not_overrun(tmp_path: Path) -> None:
    slow = ("run", CRASH, "--engine", "faulty_engines:Slow")
    written = COLOUR.sub("", on_a_terminal(*slow, cwd=tmp_path, columns=60))
    pieces = [piece for piece in re.split(r"[\r\n]+", written) if not piece.startswith("digest")]
    assert max(map(len, pieces)) <= 60


@pytest.fixture(scope="module")
def two_markets() -> RunResult:
    return run(load_scenario("shared-collateral", ["clock.blocks=135"]), 0)


def test_insolvency_is_told_of_each_of_several_markets(two_markets: RunResult) -> None:
    told = summary_table(two_markets, colour=False)
    by_venue = two_markets.summary["solvency"]["by_venue"]
    insolvent = {name: each["insolvency_usd"] for name, each in by_venue.items()}
    assert sum(map(bool, insolvent.values())) > 1
    rows = dict(re.findall(r"^  of it in (\S+) +(\S+) +\S+$", told, re.MULTILINE))
    assert rows == {name: money(amount) for name, amount in insolvent.items() if amount}


def test_what_there_is_fits_a_narrow_terminal(tmp_path: Path) -> None:
    lines = on_a_terminal("list", cwd=tmp_path, columns=60).splitlines()
    assert max(map(len, lines)) <= 60
    piped = process("list", cwd=tmp_path).out.splitlines()
    assert len(lines) > len(piped)


def test_a_closed_stdout_is_no_failure(tmp_path: Path) -> None:
    shell = " ".join([*map(shlex.quote, command("run", CRASH)), ">&-", "2>&-"])
    subprocess.run(["/bin/sh", "-c", shell], cwd=tmp_path, env=environment(), check=True)
    assert len(list(tmp_path.glob("runs/*/summary.json"))) == 1


@pytest.mark.parametrize("flag", ["--quiet", "--json"])
def test_quiet_and_json_show_no_progress(flag: str, tmp_path: Path) -> None:
    written = on_a_terminal("run", CRASH, flag, cwd=tmp_path)
    assert "\x1b" not in written
    assert " left" not in written


def test_no_color_is_respected(tmp_path: Path) -> None:
    written = on_a_terminal("run", CRASH, cwd=tmp_path, NO_COLOR="1")
    assert "invariants hold" in written
    assert "\x1b" not in written


def test_a_failure_takes_the_progress_bar_away_first(tmp_path: Path) -> None:
    written = on_a_terminal("run", CRASH, "--engine", "faulty_engines:Dying", cwd=tmp_path)
    assert written.endswith("\rharness: no answer to block 21\r\n")


def test_piped_output_has_no_progress_and_no_colours(tmp_path: Path) -> None:
    outcome = process("run", CRASH, cwd=tmp_path)
    assert outcome.err == ""
    assert "\r" not in outcome.out
    assert "\x1b" not in outcome.out


def test_what_the_terminal_cannot_write_is_replaced(tmp_path: Path) -> None:
    title = "title=Ä fall"
    outcome = process("run", CRASH, "--set", title, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (outcome.code, outcome.err) == (0, "")
    assert "? fall" in outcome.out
