"""What is shipped. Building needs the package index, so these are slow tests."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from .conftest import environment

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def build(kind: str, folder: Path) -> Path:
    pytest.importorskip("build", reason="needs the extra [dev]")
    subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        check=True,
    )
    (made,) = folder.iterdir()
    return made


def names_below(folder: str, pattern: str) -> set[str]:
    """Files of the working copy as archives name them, without what npm or Python put there."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob(pattern)
        if path.is_file() and not {"node_modules", "__pycache__"} & set(path.parts)
    }


def test_the_wheel_holds_the_package_and_nothing_else_and_works(tmp_path: Path) -> None:
    with zipfile.ZipFile(build("wheel", tmp_path / "dist")) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        wheel.extractall(tmp_path / "site")  # noqa: S202 - just built from here
    assert names == names_below("harness", "*")
    assert "harness/py.typed" in names
    assert "harness/scenarios/black-thursday.toml" in names
    assert "harness/artifacts/PooledMarket.json" in names
    licences = list((tmp_path / "site").glob("*.dist-info/licenses/LICENSE"))
    assert len(licences) == 1
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "calm", "--set", "clock.blocks=5"],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "runs" / "calm-0" / "summary.json").is_file()


def test_the_source_archive_holds_what_a_rebuild_and_the_tests_need(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path / "dist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = names_below("harness", "*") | names_below("tests", "*")
    needed |= names_below("contracts", "*.sol") | names_below("scripts", "*.py")
    needed |= {"contracts/package.json", "contracts/package-lock.json", "pyproject.toml"}
    needed |= {"README.md", "CHANGELOG.md", "LICENSE", ".ci/run"}
    assert needed <= names, needed - names
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]
