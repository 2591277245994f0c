"""Small sweeps, read from the files beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.experiments.sweep import Sweep, make_sweep, read_sweep

HERE = Path(__file__).parent
CRASH = HERE / "crash-sweep.toml"

MakeSweep = Callable[..., Sweep]


@pytest.fixture
def sweep_of(tmp_path: Path) -> MakeSweep:
    """A sweep from the text of a file, whose scenarios lie beside this one."""

    def make(text: str, *overrides: str, seed: int = 0) -> Sweep:
        file = tmp_path / "sweep.toml"
        file.write_text(f'schema = 1\nname = "test"\n{text}', "utf-8")
        return make_sweep(read_sweep(file), HERE, first_seed=seed, overrides=overrides)

    return make


@pytest.fixture
def crash() -> Sweep:
    """Six points with two seeds each."""
    return make_sweep(read_sweep(CRASH), HERE)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A Dask cluster: two workers of one thread each, in processes of their own."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as running:
        yield running
