"""The frame of every page: head, contents, sections, footer; it needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from harness.report.charts import definitions
from harness.report.layout import Section
from harness.report.markup import Markup, element, join

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Whatever a scenario's text holds, the page loads and runs nothing."""


def frame(
    title: str, kind: str, told: str, sections: Sequence[Section], *, skip: str, footer: str
) -> str:
    """A page of sections.

    title, kind: its heading, and what the window adds to it
    told: the line beneath the heading
    skip: what the link past the contents says; it leads to the first section
    """
    style = resources.files("harness.report").joinpath("style.css").read_text("utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="color-scheme", content="light dark"),
        element("title", f"{title} \u2013 {kind}"),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(style)),
    )
    body = element(
        "body",
        element("a", skip, href=f"#{sections[0].identity}", class_="skip"),
        definitions(),
        element(
            "div",
            element("header", element("h1", title), element("p", told, class_="run")),
            element("div", _contents(sections), _main(sections), class_="columns"),
            element("footer", footer),
            class_="frame",
        ),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _contents(sections: Sequence[Section]) -> Markup:
    links = (
        element("li", element("a", section.title, href=f"#{section.identity}"))
        for section in sections
    )
    title = element("h2", "On this page", id="contents")
    return element("nav", title, element("ul", *links), aria_labelledby="contents")


def _main(sections: Sequence[Section]) -> Markup:
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
