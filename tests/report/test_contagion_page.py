"""The page of a run of several venues with its contagion: drawn, legible, and the summary's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.report import report
from harness.report.figures import short

from .test_browser import OUTSIDE, OVERLAPS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contagious(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of three markets in one pool."""
    folder = tmp_path_factory.mktemp("runs") / "contagious"
    assert main(["run", "shared-collateral", "--contagion", "-q", "--out", str(folder)]) == 0
    report(folder, None)
    return folder


def test_the_matrix_on_the_page_is_the_summarys(contagious: Path) -> None:
    text = (contagious / "report.html").read_text("utf-8")
    summary = json.loads((contagious / "summary.json").read_text("utf-8"))
    start = text.index('id="matrix"')
    shown = text[start : text.index("</table>", start)]
    for row in summary["contagion"]["matrix"].values():
        for amount in row.values():
            assert short(amount) in shown
    for identity in ("network", "tree-chart", "loss-chart"):
        assert f'id="{identity}"' in text


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_overlaps_at_any_width(browser, contagious: Path, width: int) -> None:
    browser.open(contagious / "report.html", width=width)
    root = "document.documentElement"
    assert browser.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    assert browser.evaluate(OVERLAPS) == []
    assert browser.evaluate(OUTSIDE) == []
