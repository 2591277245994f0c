"""The page of an audit: verdict first, self-contained, every figure that of the result."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.audit.markdown import summary
from harness.audit.result import AuditResult
from harness.audit.verdict import audit
from harness.audit.words import bps, replay
from harness.report.audit import render_audit
from harness.scenario import load_scenario

pytestmark = pytest.mark.slow  # hundreds of runs

MARKET = Path(__file__).parent / "market.toml"
QUICK = ["audit.runs=20", "audit.steps=1", "audit.health=[1.0]", "audit.depth=[1.0]"]
HOSTILE = "<script>alert(1)</script>"


class Balanced(HTMLParser):
    """Collects text and fails on elements that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.titles: list[str] = []

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)


@pytest.fixture(scope="module")
def found() -> AuditResult:
    unsafe = "venue.market.asset.ETH.liquidation_bonus_bps=4000"
    named = f'assumptions=["{HOSTILE}"]'
    return audit(load_scenario(MARKET, [unsafe, named, *QUICK]))


def test_the_page_says_the_verdict_first_and_everything_it_rests_on(found):
    page = render_audit(found, Path("runs/x/scenario.toml"), {"command": "harness audit x.toml"})
    reader = Balanced()
    reader.feed(page)
    assert reader.open == []
    text = "".join(reader.text)
    assert reader.titles[1] == "Verdict"
    assert text.index("FAIL") < text.index("Risk figures\n" if "Risk figures\n" in text else "VaR")
    order = ["Assumptions", "Limitations", "How to repeat it"]
    assert [title for title in reader.titles if title in order] == order
    worst = next(c for c in found.classes if c.stress.name == found.worst_class)
    assert bps(worst.evaluation.share) in text
    for run in found.worst:
        assert replay(run, Path("runs/x/scenario.toml")) in text
    assert "harness audit x.toml" in text
    assert HOSTILE in text  # as text, never as an element: the reader refuses one
    assert not re.search(r"(?:src|href)=\"(?!#|data:|https?:)", page)
    assert render_audit(found, Path("runs/x/scenario.toml"), {"command": "c"}) == render_audit(
        found, Path("runs/x/scenario.toml"), {"command": "c"}
    )


@pytest.mark.parametrize("width", [60, 80])
def test_the_summary_fits_the_terminal(found, width):
    lines = summary(found, width).splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.startswith("LTV of ETH") for line in lines)
