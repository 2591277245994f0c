"""Help, lists, version, and importing without side effects."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.cli import main
from harness.commands import DONE
from harness.engine import ENGINES
from harness.scenario import Venue, scenario_names

from .conftest import Cli, environment, process


def test_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"harness {harness.__version__}\n", "")


def test_the_distribution_has_the_packages_version() -> None:
    try:
        installed = importlib.metadata.version("liquidation-harness")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from a working copy that is not installed")
    assert installed == harness.__version__


@pytest.mark.parametrize(
    "name", [(), ("run",), ("verify",), ("list",), ("report",), ("compare",), ("audit",)]
)
def test_help_has_an_example_and_fits(
    name: tuple[str, ...], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    outcome = cli(*name, "--help")
    assert outcome.code == 0
    assert "example:\n  harness" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_list_names_everything(cli: Cli) -> None:
    outcome = cli("list")
    assert outcome.code == DONE
    for name in (*scenario_names(), *ENGINES, *Venue.members):
        assert f"  {name} " in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 100
    assert cli("list", "scenarios").out.splitlines() == [
        line
        for line in outcome.out.partition("\nprotocols\n")[0].splitlines()
        if line.startswith("  ")
    ]


def test_the_module_is_the_command(tmp_path: Path) -> None:
    assert process("--version", cwd=tmp_path) == (0, f"harness {harness.__version__}\n", "")


def test_importing_does_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, threading, logging, harness.cli\n"
        "slow = {'pyarrow', 'web3', 'eth_tester', 'eth', 'pyrevm'} & set(sys.modules)\n"
        "assert not slow, slow\n"
        "assert threading.active_count() == 1\n"
        "assert not logging.getLogger().handlers\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_main_may_be_called_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["list", "scenarios"]) == DONE
        assert "black-thursday" in capsys.readouterr().out
