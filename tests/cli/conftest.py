"""The command line in this process, and as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import harness
from harness.cli import main

HERE = Path(__file__).parent
collect_ignore = ["test_terminal.py"] if sys.platform == "win32" else []  # it has no pty
CRASH = str(HERE / "crash.toml")
PLUGINS = HERE / "plugins"


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code in (0, 1), self.err
        return json.loads(self.out, parse_constant=pytest.fail)


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs the command line in this process, in an empty folder, with the plug-ins importable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(PLUGINS))
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return call


def environment(**variables: str) -> dict[str, str]:
    """For a process that finds the same package and the plug-ins."""
    package = str(Path(harness.__file__).parents[1])
    paths = os.pathsep.join([package, str(PLUGINS)])
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    return kept | {"PYTHONPATH": paths} | variables


def command(*arguments: object) -> list[str]:
    """The command line as a process's arguments."""
    return [sys.executable, "-m", "harness", *map(str, arguments)]


def background(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """Starts the command line as a process of its own, with its output piped, in a process group
    of its own, as a terminal does: an interrupt goes to the group."""
    return subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        # whoever runs the tests in the background leaves them deaf to it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def process(*arguments: object, cwd: Path, **variables: str) -> Outcome:
    """Runs the command line as a process of its own, with its output piped."""
    done = subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def one_line(outcome: Outcome, code: int) -> str:
    """The only line of a complaint; nothing was printed on stdout."""
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("harness: ")
    return lines[0].removeprefix("harness: ")
