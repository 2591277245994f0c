"""Writes the page of a run directory, or of a comparison."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.errors import ScenarioError
from harness.report.comparison import COMPARISON, load_comparison, render_comparison
from harness.report.data import load_run
from harness.report.page import render
from harness.results import MANIFEST, REPORT

_ELSEWHERE = {
    "audit.html": "audit.html is the page of an audit",
    "audit.json": "audit.json is what an audit found; --format html writes its page",
    "sweep.json": "results.json is what a sweep found",
    "attack.json": "attack.json is what an attack came to",
}
"""What other commands write, by a file of theirs."""


def report(run_dir: Path, out: Path | None = None) -> Path:
    """Writes one self-contained HTML page about a run or a comparison and returns its path.

    run_dir: a folder that ``harness run`` or ``harness compare`` wrote
    out: the file to write, or a folder for it; by default report.html in that folder

    Raises ScenarioError if the directory is not that of a complete, unchanged run or of a
    comparison, or the file cannot be written; nothing half-written is left.
    """
    if not (run_dir / MANIFEST).exists():
        _refuse_other_pages(run_dir)
    if (run_dir / COMPARISON).is_file() and not (run_dir / MANIFEST).exists():
        files, page = [COMPARISON], render_comparison(load_comparison(run_dir))
    else:
        run = load_run(run_dir)
        files, page = [MANIFEST, *run.manifest["files"]], render(run)
    target = run_dir / REPORT if out is None else out / REPORT if out.is_dir() else out
    if target.resolve() in {(run_dir / name).resolve() for name in files}:
        raise ScenarioError("--out", str(target), "a file other than those of the run")
    return write_page(target, page)


def _refuse_other_pages(folder: Path) -> None:
    """Raises ScenarioError for the folder of an audit, a sweep or an attack, and says where its
    findings are."""
    for file, found in _ELSEWHERE.items():
        if (folder / file).is_file():
            allowed = f"a folder that `harness run` or `compare` wrote; here {found}"
            raise ScenarioError("run directory", str(folder), allowed)


def write_page(target: Path, text: str) -> Path:
    """Writes a page, all of it or nothing. Raises ScenarioError if it cannot be written."""
    page = text.encode("utf-8")
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
