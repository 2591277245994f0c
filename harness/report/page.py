"""The page: every section in order, in a frame that needs nothing from elsewhere."""

from __future__ import annotations

from importlib import resources

from harness import __version__
from harness.report.accounts import health, largest_positions, margin_calls
from harness.report.background import (
    assumptions,
    glossary,
    limitations,
    manifest,
    setting,
    sources,
)
from harness.report.charts import definitions
from harness.report.data import Run
from harness.report.layout import Section
from harness.report.markup import Markup, element, join
from harness.report.outcome import insolvency, prices, story, waves
from harness.report.participants import liquidators, transactions

_SECTIONS = (
    story,
    prices,
    waves,
    insolvency,
    health,
    margin_calls,
    liquidators,
    transactions,
    largest_positions,
    setting,
    assumptions,
    limitations,
    sources,
    glossary,
    manifest,
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Whatever a scenario's text holds, the page loads and runs nothing."""


def render(run: Run) -> str:
    """The page of a run; the same run gives the same page."""
    sections = [section(run) for section in _SECTIONS]
    style = resources.files("harness.report").joinpath("style.css").read_text("utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="color-scheme", content="light dark"),
        element("title", f"{run.name} \u2013 liquidation report"),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(style)),
    )
    body = element(
        "body",
        element("a", "Skip to what happened", href="#story", class_="skip"),
        definitions(),
        element(
            "div",
            _header(run),
            element("div", _contents(sections), _main(sections), class_="columns"),
            element(
                "footer",
                f"Written by harness {__version__} from the tables of the run directory. Every "
                "amount was read from contract state or events on the chain.",
            ),
            class_="frame",
        ),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _header(run: Run) -> Markup:
    made = run.manifest
    told = f"Scenario {made['scenario']}, seed {made['seed']}, on {made['engine']}"
    return element("header", element("h1", run.name), element("p", told, class_="run"))


def _contents(sections: list[Section]) -> Markup:
    links = (
        element("li", element("a", section.title, href=f"#{section.identity}"))
        for section in sections
    )
    title = element("h2", "On this page", id="contents")
    return element("nav", title, element("ul", *links), aria_labelledby="contents")


def _main(sections: list[Section]) -> Markup:
    return element(
        "main",
        join(
            (
                element(
                    "section",
                    element("h2", section.title, id=f"{section.identity}-heading"),
                    section.content,
                    id=section.identity,
                    aria_labelledby=f"{section.identity}-heading",
                )
                for section in sections
            ),
            "\n",
        ),
    )
