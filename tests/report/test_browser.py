"""The page in a real browser, headless: wide, narrow, dark, printed, by keyboard and by ear."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

OVERLAPS = """
[...document.querySelectorAll('figure > .plot > svg')].flatMap(svg => {
  const shown = [...svg.querySelectorAll('text')]
    .map(text => [text.textContent, text.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0);
  const found = [];
  const cross = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 4 && b.top < a.bottom - 4;
  shown.forEach(([one, a], place) => shown.slice(place + 1).forEach(([other, b]) => {
    if (cross(a, b))
      found.push(`${svg.id}: ${one} / ${other}`);
  }));
  return found;
})
"""
OUTSIDE = """
[...document.querySelectorAll('svg text')]
  .filter(text => { const box = text.getBoundingClientRect();
    return box.width > 0 && (box.left < 0 || box.right > document.documentElement.clientWidth); })
  .map(text => text.textContent)
"""


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_overflows_overlaps_or_is_fetched(browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    root = "document.documentElement"
    assert browser.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    assert browser.evaluate(OVERLAPS) == []
    assert browser.evaluate(OUTSIDE) == []
    named = [event for event in browser.events if "method" in event]
    complaints = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
    assert [event for event in named if event["method"] in complaints] == []
    asked = {
        event["params"]["request"]["url"]
        for event in named
        if event["method"] == "Network.requestWillBeSent"
    }
    assert asked == {page.resolve().as_uri()}


def test_structure(browser, page: Path) -> None:
    browser.open(page, width=1280)
    without_title = "[...document.querySelectorAll('svg')].filter(s => !s.querySelector('title'))"
    assert browser.evaluate(f"{without_title}.length") == 0
    hold = "s => [...s.children].slice(1).some(child => child.innerText.length > 10)"
    sections = "[...document.querySelectorAll('section')]"
    assert browser.evaluate(f"{sections}.length") == 17
    assert browser.evaluate(f"{sections}.every({hold})")
    levels = browser.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    drawn = "[...document.querySelectorAll('figure svg path')].every(p => p.getTotalLength() > 0)"
    assert browser.evaluate(drawn)


def test_opened_tables_fit_a_narrow_window(browser, dominoes: Path, page: Path) -> None:
    browser.open(page, width=360)
    browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    root = "document.documentElement"
    assert browser.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    wide = "[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth)"
    assert browser.evaluate(f"{wide}.every(s => s.tabIndex === 0)"), "scrolled by keyboard"


def test_by_keyboard(browser, page: Path) -> None:
    browser.open(page, width=1280)
    browser.press("Tab", 9)
    assert browser.evaluate("document.activeElement.hash") == "#story"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    browser.evaluate("document.querySelector('summary').focus()")
    browser.press("Enter", 13)
    assert browser.evaluate("document.querySelector('details').open")


def test_by_ear(browser, page: Path) -> None:
    browser.open(page, width=1280)
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in browser.accessibility()
        if not node["ignored"] and "role" in node
    ]
    roles = [role for role, _ in nodes]
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert roles.count(landmark) == 1, landmark
    for role, name in nodes:
        if role in ("image", "img", "table", "region", "navigation", "link", "heading"):
            assert name, role
    assert sum(role in ("image", "img") for role in roles) >= 4


def test_dark_and_print(browser, page: Path, tmp_path: Path) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    try:
        browser.emulate(prefers_color_scheme="dark")
        browser.open(page, width=1280)
        assert browser.evaluate(background) == "rgb(18, 23, 29)"
        browser.emulate("print", prefers_color_scheme="dark")
        assert browser.evaluate(background) == "rgb(255, 255, 255)"
        assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
        browser.resize(680)
        root = "document.documentElement"
        assert browser.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), (
            "a printed page's width"
        )
    finally:
        browser.emulate()
    browser.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
