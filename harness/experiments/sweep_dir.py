"""The folder of a sweep.

    sweep.json       what runs, with which code; status running, interrupted or complete
    trials/          a file for each finished trial, under its key
    results.json     every row: what the point sets, seed, status, error, digest, figures
    results.parquet  the same as a table, columns of parameters prefixed ``set.``

Everything is renamed into its place: a process may be killed at any moment.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, ScenarioError
from harness.experiments.design import varied
from harness.experiments.store import Store
from harness.experiments.sweep import PointRows, Sweep
from harness.experiments.trial import TrialRow, code_version
from harness.results import make_folder, write_json
from harness.scenario import dump_scenario

MANIFEST, RESULTS, TRIALS = "sweep.json", "results", "trials"
_OURS = {MANIFEST, TRIALS, "results.json", "results.parquet", "sweep.tmp", "results.tmp"}


def fingerprint(sweep: Sweep) -> str:
    """A hash of everything a sweep was asked to do, in whatever words the file says it."""
    asked = {
        "name": sweep.name,
        "base": dump_scenario(sweep.base),
        "points": [[list(point.values), list(point.overrides)] for point in sweep.points],
        "seeds": list(sweep.seeds),
        "engine": sweep.engine,
        "search": repr(sweep.search),
    }
    return hashlib.sha256(json.dumps(asked, default=repr, sort_keys=True).encode()).hexdigest()


class SweepDirectory:
    """A sweep's folder that is being written.

    Opening one starts anew, or with ``resume`` goes on with the sweep that is there.

    Raises ScenarioError: the folder cannot be written or holds something else; an unfinished sweep
    is there and ``resume`` was not asked for; or what is asked for is not what started there.
    """

    def __init__(self, path: Path, sweep: Sweep, command: str, *, resume: bool) -> None:
        self.path = path
        self._sweep = sweep
        print_of_now = fingerprint(sweep)
        earlier = _earlier(path)
        if earlier is not None and resume:
            if earlier.get("fingerprint") != print_of_now:
                raise ScenarioError(
                    "--resume",
                    str(path),
                    "the sweep that started there (its file, scenario, --set, --seed or --engine "
                    "has changed since): undo the change, or give another --out",
                )
        elif earlier is not None:
            if earlier.get("status") != "complete":
                allowed = "another folder, or --resume: an unfinished sweep is there"
                raise ScenarioError("--out", str(path), allowed)
            _clear(path)
        make_folder(path)
        #: the code has changed since the sweep began: none of its trials counts any more
        self.stale = earlier is not None and resume and earlier.get("code") != code_version()
        self._manifest: dict[str, Any] = {
            "schema": 1,
            "status": "running",
            "sweep": sweep.name,
            "scenario": sweep.base.name,
            "points": len(sweep.points),
            "seeds": list(sweep.seeds),
            "engine": sweep.engine,
            "code": code_version(),
            "fingerprint": print_of_now,
            "command": command,
        }
        self._write_manifest()
        self.store = Store(path / TRIALS)

    def interrupt(self) -> None:
        """Says that the sweep stopped, as far as the disk allows."""
        self._manifest["status"] = "interrupted"
        with suppress(OSError):
            self._write_manifest()

    def complete(self, content: Mapping[str, Any], groups: Sequence[PointRows]) -> None:
        """Writes the tables and says that the sweep is complete.

        Raises HarnessError if the disk refuses.
        """
        try:
            _write_table(self.path, groups)
            write_json(self.path / f"{RESULTS}.json", content)
            self.store.tidy()
            self._manifest["status"] = "complete"
            self._write_manifest()
        except OSError as error:
            reason = error.strerror or error
            raise HarnessError(f"{self.path} cannot be completed: {reason}") from error

    def _write_manifest(self) -> None:
        write_json(self.path / MANIFEST, self._manifest)


def _earlier(path: Path) -> dict[str, Any] | None:
    """The manifest of a sweep in a folder; None if the folder is new or empty."""
    allowed = "a new or empty folder, or one that holds an earlier sweep and nothing else"
    try:
        found = sorted(file.name for file in path.iterdir()) if path.is_dir() else []
        others = [name for name in found if name not in _OURS]
        if others:
            raise ScenarioError("--out", str(path), f"{allowed} (it holds {others[0]})")
        if MANIFEST not in found:
            return None
        manifest = json.loads((path / MANIFEST).read_bytes())
    except OSError as error:
        raise ScenarioError("--out", str(path), f"{allowed} ({error.strerror})") from error
    except ValueError as error:
        raise ScenarioError("--out", str(path), f"a sound {MANIFEST} ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != 1:
        raise ScenarioError("--out", str(path), f"{allowed} (no {MANIFEST} of schema 1)")
    return manifest


def _clear(path: Path) -> None:
    """Deletes an earlier sweep, its manifest last."""
    shutil.rmtree(path / TRIALS, ignore_errors=True)
    for name in [*sorted(_OURS - {MANIFEST, TRIALS}), MANIFEST]:
        (path / name).unlink(missing_ok=True)


def rows_json(groups: Sequence[PointRows]) -> list[dict[str, Any]]:
    """Every row of a sweep as a JSON object, points outermost."""
    return [
        {
            "point": place,
            "set": point.cells(),
            "seed": row.seed,
            "status": row.status,
            "error": row.error,
            "digest": row.digest,
            "violated": list(row.violated),
            "vacuous": row.vacuous,
            "figures": dict(row.figures),
        }
        for place, (point, rows) in enumerate(groups)
        for row in rows
    ]


def _write_table(path: Path, groups: Sequence[PointRows]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = [(place, point, row) for place, (point, rows) in enumerate(groups) for row in rows]
    columns: dict[str, Any] = {"point": pa.array([place for place, _, _ in flat], pa.int32())}
    for name in varied([group.point for group in groups]):
        columns[f"set.{name}"] = _column([point.cells().get(name) for _, point, _ in flat])
    rows = [row for _, _, row in flat]
    columns["seed"] = pa.array([row.seed for row in rows], pa.int64())
    columns["status"] = pa.array([row.status for row in rows], pa.string())
    columns["error"] = pa.array([row.error for row in rows], pa.string())
    columns["digest"] = pa.array([row.digest for row in rows], pa.string())
    columns["violated"] = pa.array([list(row.violated) for row in rows], pa.list_(pa.string()))
    columns["vacuous"] = pa.array([row.vacuous for row in rows], pa.bool_())
    for name in _figure_names(rows):
        columns[name] = pa.array([row.figures.get(name) for row in rows], pa.float64())
    beside = path / f"{RESULTS}.tmp"
    pq.write_table(pa.table(columns), beside, compression="zstd")
    beside.replace(path / f"{RESULTS}.parquet")


def _figure_names(rows: Sequence[TrialRow]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.figures))


def _column(values: Sequence[object]) -> Any:
    """Numbers as numbers; a mixture as text."""
    import pyarrow as pa

    numbers = [
        float(value)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) == len(values):
        return pa.array(numbers, pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())
