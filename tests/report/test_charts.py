"""Scales, thinning, formats, escaping and colours."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import charts, figures
from harness.report.charts import Scale, TimeAxis
from harness.report.markup import element, escape, linked

LABELS = (charts.count_labels, charts.money_labels, charts.percent_labels, charts.price_labels)
amounts = st.floats(-1e12, 1e12).map(lambda value: 0.0 if abs(value) < 1e-6 else value)


@given(amounts, amounts, st.booleans(), st.booleans())
def test_scales_hold_their_values(one: float, other: float, from_zero: bool, whole: bool) -> None:
    low, high = min(one, other), max(one, other)
    scale = Scale(low, high, from_zero=from_zero, whole=whole)
    room = 1e-6 * (scale.high - scale.low)
    assert scale.low <= low + room
    assert high - room <= scale.high
    assert 2 <= len(scale.ticks) <= 8
    assert not from_zero or scale.low <= 0 <= scale.high
    if whole:
        assert scale.step >= 1
        assert scale.step == round(scale.step)


@pytest.mark.parametrize("labels", LABELS)
@given(low=st.floats(0, 1e11), size=st.floats(1e-3, 1e11))
def test_no_two_ticks_read_alike(labels: object, low: float, size: float) -> None:
    scale = Scale(low, low + max(size, low * 1e-3))
    texts = labels(scale)  # type: ignore[operator]  # one of LABELS
    assert len(set(texts)) == len(texts)


@given(st.integers(0, 10**10), st.integers(1, 10**9))
def test_time_ticks_are_few_distinct_and_inside(start: int, span: int) -> None:
    ticks = TimeAxis([start, start + span]).ticks()
    assert len(ticks) <= 10
    assert all(0 <= share <= 1 for share, _ in ticks)


def test_thinning_keeps_every_spike() -> None:
    values = [0.0] * 100_000
    values[12_345], values[54_321] = 9.0, -9.0
    kept = charts._thinned(values)
    assert len(kept) <= 2000
    assert {0, 12_345, 54_321, 99_999} <= set(kept)


def test_gaps_in_a_line_stay_gaps() -> None:
    assert charts._runs([None, 1.0, 2.0, None, 3.0]) == [[1, 2], [4]]


@pytest.mark.parametrize(
    ("amount", "text", "words", "short"),
    [
        (0, "$0", "$0", "$0"),
        (0.2, "under $1", "under $1", "under $1"),
        (-0.2, "above \u2212$1", "above \u2212$1", "above \u2212$1"),
        (999_999.2, "$999,999", "$999,999", "$999,999"),
        (7_258_595.88, "$7,258,596", "$7.26 million", "$7.26M"),
        (-51_114_267, "\u2212$51,114,267", "\u2212$51.1 million", "\u2212$51.1M"),
        (1.5e9, "$1,500,000,000", "$1.50 billion", "$1.50B"),
    ],
)
def test_money(amount: float, text: str, words: str, short: str) -> None:
    assert (figures.money(amount), figures.about(amount), figures.short(amount)) == (
        text,
        words,
        short,
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (120, "2 minutes"),
        (3600, "1 hour"),
        (94500, "26 hours"),
        (9000, "2.5 hours"),
        (172500, "48 hours"),
        (864000, "10 days"),
    ],
)
def test_duration(seconds: int, text: str) -> None:
    assert figures.duration(seconds) == text


def test_moments_are_utc() -> None:
    assert figures.moment(1_584_065_700) == "13 Mar 2020, 02:15 UTC"
    assert figures.moment(1_584_065_701) == "13 Mar 2020, 02:15:01 UTC"


def test_percent() -> None:
    assert figures.percent(-0.0532, 2, signed=True) == "\u22125.32%"
    assert figures.percent(0.0461, 2, signed=True) == "+4.61%"
    assert figures.percent(-0.00001, 2) == "0.00%"


@given(st.text())
def test_no_text_breaks_out(text: str) -> None:
    inside = element("p", text, title=text)
    assert inside.count("<") == 2
    assert inside.count(">") == 2
    assert inside.count('"') == (2 if text else 0)
    inside.encode("utf-8")


def test_characters_that_disguise_are_replaced() -> None:
    assert escape("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc?"
    assert escape("line\n\ttab") == "line\n\ttab"


def test_only_web_addresses_become_links() -> None:
    assert "<a" not in linked("javascript:alert(1) medium.com/x data:text/html,x")
    link = linked('see (https://example.org/a?b="><script>).')
    assert 'href="https://example.org/a?b="' in link
    assert "<script" not in link


# --- colours --------------------------------------------------------------------------------------

STYLE = resources.files("harness.report").joinpath("style.css").read_text("utf-8")
SCHEMES = [dict(re.findall(r"--([\w-]+): (#\w+);", block)) for block in STYLE.split(":root {")[1:]]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES, ids=["light", "dark", "print"])
def test_contrast(scheme: dict[str, str]) -> None:
    for name in ("ink", "soft", "accent"):
        assert contrast(scheme[name], scheme["paper"]) >= 4.5
        assert contrast(scheme[name], scheme["panel"]) >= 4.5
    assert contrast(scheme["alarm"], scheme["alarm-paper"]) >= 4.5
    for name in "abcde":
        assert contrast(scheme[name], scheme["paper"]) >= 3, name
