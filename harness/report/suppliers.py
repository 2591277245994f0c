"""Who got out of a market, and who was left with its losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.metrics.suppliers import by_kind
from harness.report.charts import Bar, bar_chart, legend
from harness.report.data import Run
from harness.report.figures import count, money, percent, plural
from harness.report.layout import Section, chart_figure
from harness.report.markup import Content, Markup, element, join, table


def ran(run: Run) -> bool:
    """Whether the scenario has suppliers who may run."""
    return run.summary.get("suppliers") is not None


def suppliers(run: Run) -> Section:
    """For each market and asset: what each kind of supplier was paid out, and its loss."""
    parts: list[Content] = [
        element(
            "p",
            "Whoever withdraws first is paid in full; the loss is that of the claims left at the "
            "end, in proportion. It is what was written off and no reserves cover, and what is "
            "owed beyond collateral at the last outside prices.",
        )
    ]
    for venue, assets in run.summary["suppliers"].items():
        for asset, found in assets.items():
            parts += _market(venue, asset, found, single=len(run.summary["suppliers"]) == 1)
    return Section("suppliers", "Suppliers", join(parts))


def _market(venue: str, asset: str, found: Mapping[str, Any], *, single: bool) -> Iterator[Markup]:
    identity = f"suppliers-{venue}-{asset}"
    loss = found["uncovered_usd"] + found["unrealised_usd"]
    title = asset if single else f"{asset} in {venue}"
    told = (
        f"{count(found['out'])} of {plural(found['out'] + found['left'], 'supplier')} got out. "
        f"Those who were left, with {money(found['left_usd'])}, bear {money(loss)}."
    )
    yield element("h3", title)
    yield element("p", told)
    groups = by_kind(found["rows"])
    shares = [
        (
            name,
            (
                Bar(paid, percent(paid), "a"),
                Bar(lost, percent(lost), "b"),
            ),
        )
        for name, rows in groups.items()
        for paid, lost in [(_share(rows, "withdrawn"), _share(rows, "loss"))]
    ]
    drawn = bar_chart(
        identity,
        f"{title}: paid out and lost",
        "For each kind of supplier, the share of what it had supplied that it was paid out, and "
        "the share that is lost.",
        shares,
    )
    key = legend([("area", "a", "paid out"), ("area", "b", "lost")])
    yield chart_figure("Share of what each kind had supplied", None, key, drawn)
    head = ("Suppliers", "Number", "Got out", "Paid out", "Lost", "Loss")
    rows = [
        (
            name,
            count(len(members)),
            count(sum(int(row["left"]) == 0 for row in members)),
            percent(_share(members, "withdrawn")),
            percent(_share(members, "loss")),
            money(sum(row["loss_usd"] for row in members)),
        )
        for name, members in groups.items()
    ]
    foot = ("All", count(len(found["rows"])), "", "", "", money(loss))
    caption = f"Suppliers of {asset}"
    yield table(f"{identity}-table", caption, head, rows, foot=foot)


def _share(rows: Sequence[Mapping[str, Any]], field: str) -> float:
    supplied = sum(int(row["supplied"]) for row in rows)
    return sum(int(row[field]) for row in rows) / supplied if supplied else 0.0
