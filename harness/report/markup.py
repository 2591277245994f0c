"""HTML and SVG from Python, escaped by default: text is escaped unless an element made it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_MANY = 8
"""Columns beyond which a table is printed smaller."""
_VOID = frozenset({"br", "col", "hr", "link", "meta"})
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | float | None


def escape(text: object) -> Markup:
    """Any text as HTML; control and direction characters, which could disguise what stands
    beside them, and lone surrogates become U+FFFD or ``?``."""
    if isinstance(text, Markup):
        return text
    sound = str(text).encode("utf-8", "replace").decode("utf-8")
    return Markup(html.escape(_CONTROL.sub("\ufffd", sound)))


def element(name: str, *content: Content, **attributes: Content) -> Markup:
    """An element; ``class_`` stands for class, ``data_x`` for data-x. None is left out, both as
    content and as attribute; an attribute of "" stands alone."""
    opening = [name]
    for key, value in attributes.items():
        if value is None:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        opening.append(f'{attribute}="{escape(value)}"' if value != "" else attribute)
    start = f"<{' '.join(opening)}>"
    if name in _VOID:
        return Markup(start)
    return Markup(f"{start}{join(content)}</{name}>")


def join(parts: Iterable[Content], between: str = "") -> Markup:
    """Parts one after the other, escaped."""
    return Markup(between.join(escape(part) for part in parts if part is not None))


def linked(text: str) -> Markup:
    """Text in which http addresses are links."""
    parts: list[Content] = []
    done = 0
    for match in _LINK.finditer(text):
        address = match.group()
        parts += [text[done : match.start()], element("a", address, href=address, rel="noreferrer")]
        done = match.end()
    return join([*parts, text[done:]])


def figure(path: str, value: float | int | None, text: str) -> Markup:
    """A figure of the summary object: what is read, and beside it path and value as recorded."""
    return element("data", text, value=str(value), data_figure=path)


def paragraphs(text: str) -> Markup:
    """Text with blank lines between its paragraphs."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text.strip())]
    return join(element("p", linked(block)) for block in blocks if block)


def table(
    identity: str,
    caption: Content,
    head: Sequence[Content],
    rows: Sequence[Sequence[Content]],
    *,
    text_columns: Iterable[int] = (0,),
    foot: Sequence[Content] | None = None,
) -> Markup:
    """A table whose first column heads its rows. Columns are right-aligned numbers but for
    ``text_columns``. Where it is wider than the window, it scrolls by itself, also by keyboard."""
    plain = set(text_columns)

    def cell(place: int, content: Content, *, heading: bool) -> Markup:
        align = None if place in plain else "n"
        if heading:
            return element("th", content, scope="row", class_=align)
        return element("td", content, class_=align)

    def row(cells: Sequence[Content]) -> Markup:
        return element(
            "tr", *(cell(place, each, heading=place == 0) for place, each in enumerate(cells))
        )

    titles = (
        element("th", title, scope="col", class_=None if place in plain else "n")
        for place, title in enumerate(head)
    )
    body = element(
        "table",
        element("caption", element("span", caption), id=f"{identity}-caption"),
        element("thead", element("tr", *titles)),
        element("tbody", join((row(cells) for cells in rows), "\n")),
        element("tfoot", row(foot)) if foot else None,
        id=identity,
        class_="many" if len(head) > _MANY else None,
    )
    return element(
        "div",
        body,
        class_="scroll",
        role="region",
        tabindex=0,
        aria_labelledby=f"{identity}-caption",
    )


def bullets(items: Iterable[Content], none: str) -> Markup:
    """A list, or a sentence that there is nothing to list."""
    entries = [element("li", item) for item in items]
    return element("ul", *entries) if entries else element("p", none)


def details(summary: Content, *content: Content) -> Markup:
    """Content that opens on demand, by mouse and keyboard."""
    return element("details", element("summary", summary), *content)
