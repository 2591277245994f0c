"""The audits in scripts/audits say what is committed beside them.

``python tests/audit/test_builtin_audits.py`` writes it down anew.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from harness.cli import main
from harness.scenario import load_scenario

AUDITS = Path(__file__).resolve().parents[2] / "scripts" / "audits"
NAMES = tuple(sorted(path.stem for path in AUDITS.glob("*.toml")))
EXPECTED = {"eth-usdc": 0, "crv-2022": 1, "eth-perp": 1}
"""Exit codes: which pass."""


def told(name: str, folder: Path) -> tuple[int, str]:
    """Exit code and Markdown of an audit, run from the folder of the audits' checkout."""
    out = folder / name
    code = main(
        ["audit", f"scripts/audits/{name}.toml", "--format", "md", "--quiet", "--out", str(out)]
    )
    text = (out / "audit.md").read_text("utf-8")
    return code, text.replace(str(out), f"runs/audit-{name}-0")


def test_every_audit_has_its_expected_output():
    assert set(NAMES) == set(EXPECTED)
    for name in NAMES:
        load_scenario(AUDITS / f"{name}.toml")
        text = (AUDITS / f"{name}.md").read_text("utf-8")
        assert ("PASS" if EXPECTED[name] == 0 else "FAIL") in text.splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_audit_says_what_is_committed(name, tmp_path, monkeypatch):
    pytest.importorskip("SALib")
    monkeypatch.chdir(AUDITS.parents[1])
    code, text = told(name, tmp_path)
    assert text == (AUDITS / f"{name}.md").read_text("utf-8")
    assert code == EXPECTED[name]


if __name__ == "__main__":
    os.chdir(AUDITS.parents[1])
    with tempfile.TemporaryDirectory() as made:
        for each in sys.argv[1:] or NAMES:
            (AUDITS / f"{each}.md").write_text(told(each, Path(made))[1], "utf-8")
