"""README.md tells the truth: its commands are run and their outputs compared.

``python tests/test_readme.py`` rewrites the outputs instead. Compared as they are, but for the
seconds a run took and the engine it ran on by default.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import harness
from harness.engine import default_engine_name

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REWRITE = "If the new output is right: python tests/test_readme.py"
MANY_RUNS = re.compile(r"^\$ harness (?:audit|compare|sweep|.* --contagion)", re.MULTILINE)
"""Commands of dozens of runs. Their blocks need nothing from the others."""
NAMED = re.compile(r"`([\w.-]+\.(?:toml|csv|py))`")


class Command(NamedTuple):
    """A command of the README and what the README says it prints."""

    line: str
    output: str


def blocks(kind: str) -> list[re.Match[str]]:
    return [found for found in BLOCK.finditer(README.read_text("utf-8")) if found[1] == kind]


def commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield Command(line, output)


def write_files(folder: Path) -> None:
    """The TOML, CSV and Python blocks, under the name last mentioned before each."""
    text = README.read_text("utf-8")
    for kind in ("toml", "csv", "python"):
        for block in blocks(kind):
            name = NAMED.findall(text[: block.start()])[-1]
            (folder / name).write_text(block[2], "utf-8")


def environment(folder: Path) -> dict[str, str]:
    """``harness`` and ``python`` of this interpreter, an 80-column terminal, no colours."""
    tools = folder / "bin"
    tools.mkdir()
    python = shlex.quote(sys.executable)
    for name, command in (("harness", f"{python} -m harness"), ("python", python)):
        (tools / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (tools / name).chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    return kept | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(harness.__file__).parents[1]),
    }


def perform(command: Command, folder: Path, variables: dict[str, str]) -> str:
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command.line} 2>&1"],  # noqa: S607
        cwd=folder,
        env=variables,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=600,
    )
    return result.stdout


def normalised(output: str) -> str:
    output = re.sub(
        r" on (revm|py-evm) in \d+\.\d s$", " on ENGINE in TIME s", output, flags=re.MULTILINE
    )
    output = re.sub(r" passed in [\d.]+s$", " passed in TIME", output, flags=re.MULTILINE)
    return re.sub(r"^harness: pyrevm has no wheel .*\n", "", output, flags=re.MULTILINE)


@pytest.mark.skipif(shutil.which("bash") is None, reason="the commands are for bash")
@pytest.mark.skipif(default_engine_name() != "revm", reason="takes an hour without revm")
@pytest.mark.parametrize(
    ("many_runs", "least"),
    [
        pytest.param(False, 20, id="single"),
        pytest.param(True, 5, id="many", marks=pytest.mark.slow),
    ],
)
def test_every_command_prints_what_the_readme_says(
    many_runs: bool, least: int, tmp_path: Path
) -> None:
    write_files(tmp_path)
    variables = environment(tmp_path)
    count = 0
    for block in blocks("console"):
        if many_runs != bool(MANY_RUNS.search(block[2])):
            continue
        for command in commands(block[2]):
            printed = perform(command, tmp_path, variables)
            said = normalised(command.output)
            assert normalised(printed) == said, f"{command.line}\n{REWRITE}"
            count += 1
    assert count >= least


def test_the_set_up_commands_end_with_the_first_example_and_the_tests() -> None:
    run, tests = (block[2].strip() for block in blocks("bash")[:2])
    first = next(commands(blocks("console")[0][2]))
    assert run.endswith(f"&& .venv/bin/{first.line}")
    assert tests.endswith("pytest -n auto")
    assert f"\n{run}\n{tests}\n" in (ROOT / ".ci" / "run").read_text("utf-8"), "not what CI runs"


@pytest.mark.parametrize(
    "file",
    [
        "tests/plugin/stranger/test_my_market.py",
        "scripts/examples/own_deleveraging_policy/test_leverage_first.py",
    ],
)
def test_a_test_file_shown_is_one_that_is_run(file: str) -> None:
    shown = [block[2] for block in blocks("python")]
    assert (ROOT / file).read_text("utf-8") in shown


def rewrite() -> None:
    """Puts the outputs of now into README.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder)
        variables = environment(folder)

        def run_block(block: re.Match[str]) -> str:
            if block[1] != "console":
                return block[0]
            parts = []
            for command in commands(block[2]):
                printed = perform(command, folder, variables)
                same = normalised(printed) == normalised(command.output)
                parts.append(f"$ {command.line}\n{command.output if same else printed}")
            return f"```console\n{''.join(parts)}```"

        README.write_text(BLOCK.sub(run_block, README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    rewrite()
