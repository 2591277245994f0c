"""``harness audit``: inputs, the audit, what is written, and the exit code."""

from __future__ import annotations

import argparse
import json
import logging
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import __version__
from harness.audit.draws import stresses
from harness.audit.inputs import read_inputs
from harness.audit.markdown import markdown, summary
from harness.audit.result import AuditResult
from harness.audit.verdict import audit
from harness.errors import ScenarioError
from harness.experiments.pool import choose_workers
from harness.population import dropped
from harness.report.audit import render_audit
from harness.results import SCENARIO, command_line, make_folder, versions, write_json
from harness.run import set_up
from harness.scenario import dump_scenario, load_scenario
from harness.terminal import ProgressBar, columns

__all__ = ["FORMATS", "run_audit"]

FORMATS = ("html", "md", "json")
_log = logging.getLogger("harness")

_NAMES = {"html": "audit.html", "md": "audit.md", "json": "audit.json"}


def run_audit(options: argparse.Namespace, say: Callable[[str], None]) -> bool:
    """Carries out the command; whether the audit passed.

    Raises:
        ScenarioError: bad input.
        EngineError: an engine failed.
    """
    formats = _formats(options.format)
    inputs = read_inputs(
        load_scenario(options.scenario, options.set),
        options.positions,
        options.prices,
        options.depth,
    )
    scenario = inputs.scenario
    stresses(scenario)
    _, world = set_up(scenario, options.seed)  # refused before anything runs
    left_out = dropped(scenario, [p for venue in world.venues.values() for p in venue.positions])
    for note in left_out:
        _log.warning("%s", note)  # an audit of a part of the accounts says so at once
    workers = choose_workers(options.executor, options.workers)
    path: Path = options.out or Path("runs") / f"audit-{scenario.name}-{options.seed}"
    make_folder(path)
    silent = options.quiet or options.json or not sys.stderr.isatty()
    progress = None if silent else ProgressBar(sys.stderr, columns())
    try:
        with workers.open() as pool:
            result = audit(
                scenario,
                options.seed,
                engine=options.engine,
                executor=None if pool is None else pool.executor,
                progress=progress,
                variants=inputs.variants,
                notes=(*inputs.notes, *left_out),
            )
    finally:
        if progress:
            progress.clear()
    content = result.as_json()
    _write(path, result, content, formats, command_line(options.given))
    if options.json:
        say(json.dumps(content, indent=2, allow_nan=False))
    elif not options.quiet:
        say(summary(result, columns()))
        say("\nwritten to " + ", ".join(str(path / _NAMES[name]) for name in formats))
    return result.verdict == "pass"


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in FORMATS:
            raise ScenarioError("--format", text, f"some of {','.join(FORMATS)}")
    return names


def _write(
    path: Path,
    result: AuditResult,
    content: dict[str, Any],
    formats: tuple[str, ...],
    command: str,
) -> None:
    """The scenario from which runs are repeated, and what was asked for."""
    manifest = {
        "command": command,
        "scenario": result.scenario.name,
        "seed": result.seed,
        "engine": result.engine,
        "runs": result.runs,
        "harness": __version__,
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }
    (path / SCENARIO).write_text(dump_scenario(result.scenario), "utf-8")
    if result.suggestion is not None:
        suggested = dump_scenario(result.suggestion.scenario)
        (path / "suggested.toml").write_text(suggested, "utf-8")
    if "json" in formats:
        write_json(path / _NAMES["json"], {**content, "manifest": manifest})
    if "html" in formats:
        page = render_audit(result, path / SCENARIO, manifest)
        (path / _NAMES["html"]).write_text(page, "utf-8")
    if "md" in formats:
        text = markdown(result, path / SCENARIO)
        (path / _NAMES["md"]).write_text(text, "utf-8")
