"""A small exchange with two markets and two collaterals beside a lending market, in one fall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.run import RunResult, run
from harness.scenario import Scenario, load_scenario

SMALL = Path(__file__).parent / "small.toml"

Load = Callable[..., Scenario]


@pytest.fixture(scope="session")
def small() -> Load:
    """The small scenario with overrides as ``--set`` takes them."""

    def load(*overrides: str) -> Scenario:
        return load_scenario(SMALL, overrides)

    return load


@pytest.fixture(scope="session")
def fallen(small: Load) -> RunResult:
    """The small scenario as it is, on the fastest engine."""
    return run(small(), 3)


@pytest.fixture(scope="session")
def play(small: Load) -> Callable[..., RunResult]:
    """Runs the small scenario with overrides."""

    def played(*overrides: str, seed: int = 3, engine: str | None = None) -> RunResult:
        return run(small(*overrides), seed, engine)

    return played


def actions(result: RunResult, *names: str) -> Sequence[str]:
    """What became of every transaction of these actions in the run."""
    return [row.status for row in result.run.transactions if row.action in names]
