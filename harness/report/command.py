"""Writes the page of a run directory."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.errors import ScenarioError
from harness.report.data import load_run
from harness.report.page import render
from harness.results import MANIFEST, REPORT


def report(run_dir: Path, out: Path | None = None) -> Path:
    """Writes one self-contained HTML page about a run and returns its path.

    out: the file to write, or a folder for it; by default report.html in the run directory

    Raises ScenarioError if the directory is not that of a complete, unchanged run, or the file
    cannot be written; nothing half-written is left.
    """
    run = load_run(run_dir)
    target = run_dir / REPORT if out is None else out / REPORT if out.is_dir() else out
    kept = {(run_dir / name).resolve() for name in (MANIFEST, *run.manifest["files"])}
    if target.resolve() in kept:
        raise ScenarioError("--out", str(target), "a file other than those of the run")
    page = render(run).encode("utf-8")
    try:
        _replace(target, page)
    except OSError as error:
        allowed = f"a file that can be written ({error.strerror or error})"
        raise ScenarioError("--out", str(target), allowed) from error
    return target


def _replace(target: Path, content: bytes) -> None:
    """Writes beside the target and renames, so that a reader never sees half a page."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".report-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
