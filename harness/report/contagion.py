"""Sections on what led to what: the network of venues, the matrix, the tree, the loss ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.metrics.tree import parents
from harness.report.charts import drawing, legend
from harness.report.data import Loss, Run
from harness.report.figures import count, money, plural, short
from harness.report.layout import Section, chart_figure
from harness.report.markup import Markup, details, element, join, table

_ROW = 44
_MOST_NODES = 80
_MOST_ROWS = 60
_LEAST_SHOWN = 0.005

CHANNEL_NAMES = {
    "price": "pool prices",
    "oracle": "shared feeds",
    "holder": "common holders",
    "lender": "common lenders",
    "liquidator": "liquidators' capital",
    "claims": "claims on markets",
    "block-space": "block space",
    "cross-margin": "cross margin",
}

_MEASURES = {
    "overlap": ("liquidity-weighted overlap of holdings", "price"),
    "indirect": ("indirect exposure: overlap times what a fall would sell", "price"),
    "vulnerability": ("vulnerability: deleveraging in proportion", "price"),
    "clearing": ("clearing vector of debts through vaults", "claims"),
    "costly_clearing": ("the same less liquidators' bonuses", "claims"),
}


def connected(run: Run) -> bool:
    """Whether there is contagion to show: it was measured, between venues."""
    return run.summary["contagion"] is not None


def network(run: Run) -> Section:
    """Venues, the links between them and what each carried; the contagion matrix."""
    found = run.summary["contagion"]
    return Section(
        "contagion",
        "Contagion between venues",
        join([_network(found), _matrix(found), _links(found), _foresight(found)]),
    )


def _network(found: Mapping[str, Any]) -> Markup:
    """Venues on the left, channels on the right, a line for each link: the thicker, the more the
    insolvency of other venues changed when it was cut."""
    links: Mapping[str, Mapping[str, float]] = found["links"]
    matrix: Mapping[str, Mapping[str, float]] = found["matrix"]
    venues = list(matrix)
    channels = [name for name in CHANNEL_NAMES if any(link.endswith(f"/{name}") for link in links)]
    carried = {
        link: sum(abs(amount) for venue, amount in row.items() if not link.startswith(f"{venue}/"))
        for link, row in links.items()
    }
    largest = max(carried.values(), default=0.0)
    height = _ROW * max(len(venues), len(channels), 1)

    def level(place: int, number: int) -> float:
        return height * (place + 0.5) / max(number, 1)

    parts: list[Markup] = []
    for link, amount in carried.items():
        venue, _, channel = link.rpartition("/")
        top, bottom = (
            level(venues.index(venue), len(venues)),
            level(channels.index(channel), len(channels)),
        )
        width = 1 + 9 * amount / largest if largest else 1
        style = "link" if amount > _LEAST_SHOWN else "link idle"
        line = element(
            "line",
            x1="2%",
            x2="97%",
            y1=f"{top:.1f}",
            y2=f"{bottom:.1f}",
            stroke_width=f"{width:.1f}",
            class_=style,
        )
        parts.append(element("g", element("title", f"{link}: {money(amount)}"), line))
    for place, venue in enumerate(venues):
        y = level(place, len(venues))
        parts.append(element("circle", cx="2%", cy=f"{y:.1f}", r=6, class_="node"))
        parts.append(element("text", venue, x="0%", y=f"{y - 13:.1f}", class_="start"))
    for place, channel in enumerate(channels):
        y = level(place, len(channels))
        square = element("rect", x="97%", y=f"{y - 6:.1f}", width=12, height=12, class_="channel")
        label = element("text", CHANNEL_NAMES[channel], x="100%", y=f"{y - 13:.1f}", class_="end")
        parts += [square, label]
    heavy = max(carried, key=lambda link: carried[link], default="")
    told = f"{plural(len(venues), 'venue')} and {plural(len(links), 'link')}; " + (
        f"{heavy} carried most, {money(carried[heavy])}." if largest else "none carried a loss."
    )
    drawn = drawing(
        "network", "The network of venues and links", told, height, *parts, class_="network"
    )
    return chart_figure(
        "Venues and the channels that link them",
        "A line is as thick as what the link changed of other venues' insolvency; dashed where "
        "that was nothing.",
        None,
        element("div", drawn, class_="plot wide"),
    )


def _matrix(found: Mapping[str, Any]) -> Markup:
    matrix: Mapping[str, Mapping[str, float]] = found["matrix"]
    interaction: Mapping[str, float] = found["interaction"]
    total: Mapping[str, float] = found["total"]
    largest = max((abs(v) for row in matrix.values() for v in row.values()), default=0.0)
    rows = [(i, *(_shaded(row[j], largest) for j in matrix)) for i, row in matrix.items()]
    rows.append(("interaction", *(short(interaction[j]) for j in matrix)))
    foot = ("run less run without any link", *(short(total[j]) for j in matrix))
    made = table(
        "matrix",
        "What the links of the venue in the row added to the insolvency of the venue in the "
        "column: the run less the run without them. On the diagonal, what a venue did to itself.",
        ("From \\ to", *matrix),
        rows,
        foot=foot,
    )
    return join([element("h3", "The contagion matrix"), made])


def _shaded(amount: float, largest: float) -> Markup:
    """A cell, the darker the more; a minus sign says that the link spared the other venue."""
    step = min(4, int(5 * abs(amount) / largest)) if largest else 0
    return element("span", short(amount), class_=f"heat{step}")


def _links(found: Mapping[str, Any]) -> Markup:
    links: Mapping[str, Mapping[str, float]] = found["links"]
    idle: Sequence[str] = found["idle"]
    venues = list(found["matrix"])
    rows = [
        (link, *("" if link in idle else short(row[j]) for j in venues))
        for link, row in links.items()
    ]
    made = table(
        "links",
        "What each link added to each venue's insolvency; empty where the run itself shows that "
        "the link carried nothing.",
        ("Link", *venues),
        rows,
    )
    return details("Every link", made)


def _foresight(found: Mapping[str, Any]) -> Markup | None:
    predicted: Mapping[str, Mapping[str, float | None]] = found["predicted"]
    if not predicted:
        return None
    rows = []
    for measure, values in predicted.items():
        label, channel = _MEASURES[measure]
        rank = values["rank_correlation"]
        told = "undefined" if rank is None else f"{rank:.2f}".replace("-", "\u2212")
        rows.append((label, CHANNEL_NAMES[channel], told))
    made = table(
        "foresight",
        "How well measures of the positions at the start rank what one venue did to another by a "
        "channel: rank correlation with the simulated entries.",
        ("Measure", "Channel", "Rank correlation"),
        rows,
        text_columns=(0, 1),
    )
    return join([element("h3", "Could it be seen beforehand?"), made, _foretold(found)])


def _foretold(found: Mapping[str, Any]) -> Markup | None:
    """Losses by claims, which are foretold in USD, beside those that came."""
    predicted: Mapping[str, Mapping[str, Any]] = found["predicted"]
    links: Mapping[str, Mapping[str, float]] = found["links"]
    measures = [name for name in ("clearing", "costly_clearing") if name in predicted]
    rows = []
    for i, losses in predicted[measures[0]]["matrix"].items() if measures else ():
        for j in losses:
            told = [predicted[name]["matrix"][i][j] for name in measures]
            came = links.get(f"{i}/claims", {}).get(j, 0.0)
            if i != j and max(*told, abs(came)) > _LEAST_SHOWN:
                rows.append((f"{i} on {j}", *map(short, told), short(came)))
    if not rows:
        return None
    return table(
        "foretold",
        "Losses by claims on markets: what clearing vectors foretell of a fall in one step, with "
        "collateral at its worth and less liquidators' bonuses, and what the run came to.",
        ("From, on whom", "At its worth", "Less bonuses", "Simulated"),
        rows[:_MOST_ROWS],
    )


class _Node(NamedTuple):
    """A liquidation in the drawing: its share across and its height."""

    x: float
    y: float
    radius: float


def cascade_tree(run: Run) -> Section:
    """Liquidations by wave, each tied to the one whose sale caused it; the steps as a table."""
    repaid = {number: row.repaid for number, row in enumerate(run.liquidations, 1)}
    tied = parents(run.cascade)
    if not repaid:
        return Section("tree", "What led to what", element("p", "Nothing was liquidated."))
    if not any(edge.kind == "oracle-liquidation" for edge in run.cascade):
        told = f"Of {plural(len(repaid), 'liquidation')} none was caused by a forced sale."
        return Section("tree", "What led to what", join([element("p", told), _steps(run)]))
    return Section("tree", "What led to what", join([_tree(run, repaid, tied), _steps(run)]))


def _drawn(repaid: Mapping[int, float], sellers: Mapping[int, int]) -> list[int]:
    """The liquidations that are drawn, in order: the largest of those that are tied to another,
    each with all that led to it, then the largest of the rest."""
    tied = set(sellers) | set(sellers.values())
    shown: set[int] = set()
    for number in sorted(repaid, key=lambda n: (n not in tied, -repaid[n], n)):
        chain = [number]
        while (before := sellers.get(chain[-1], chain[-1])) not in chain:
            chain.append(before)
        if len(shown.union(chain)) <= _MOST_NODES:
            shown.update(chain)
    return sorted(shown)


def _tree(run: Run, repaid: Mapping[int, float], sellers: Mapping[int, int]) -> Markup:
    rows = dict(enumerate(run.liquidations, 1))
    shown = _drawn(repaid, sellers)
    waves: dict[int, list[int]] = defaultdict(list)
    for number in shown:
        waves[max(0, rows[number].wave)].append(number)
    last = max(waves)
    longest = max(len(column) for column in waves.values())
    height = min(18, max(10, 600 // longest)) * longest + 30
    largest = max(repaid.values()) or 1.0
    nodes: dict[int, _Node] = {}
    for wave, column in waves.items():
        for place, number in enumerate(column):
            x = 6 + 88 * wave / max(1, last)
            y = 30 + (height - 30) * (place + 0.5) / len(column)
            nodes[number] = _Node(x, y, 2 + 7 * (repaid[number] / largest) ** 0.5)
    parts: list[Markup] = []
    for child, parent in sellers.items():
        if child in nodes and parent in nodes:
            one, other = nodes[parent], nodes[child]
            parts.append(
                element(
                    "line",
                    x1=f"{one.x:.2f}%",
                    y1=f"{one.y:.1f}",
                    x2=f"{other.x:.2f}%",
                    y2=f"{other.y:.1f}",
                    class_="link",
                )
            )
    venues = list(run.venues)
    for number, node in nodes.items():
        row = rows[number]
        style = f"node {_colour(venues, row.venue)}"
        told = f"L{number}: {row.venue}, account {row.account}, block {row.block}, " + money(
            row.repaid
        )
        dot = element(
            "circle", cx=f"{node.x:.2f}%", cy=f"{node.y:.1f}", r=f"{node.radius:.1f}", class_=style
        )
        parts.append(element("g", element("title", told), dot))
    for wave in sorted(waves):
        x = 6 + 88 * wave / max(1, last)
        parts.append(element("text", count(wave), x=f"{x:.2f}%", y=12, class_="middle strong"))
    part = "" if len(shown) == len(rows) else f" ({len(shown)} of {len(rows)} are drawn)"
    caused = sum(edge.kind == "oracle-liquidation" for edge in run.cascade)
    told = f"{plural(len(rows), 'liquidation')}{part}, {caused} caused by forced sales"
    if caused > len(sellers):
        called = caused - len(sellers)
        told += f": {len(sellers)} by another liquidation's, {called} by those of called accounts"
    told += "."
    shown_venues = [name for name in venues if any(rows[n].venue == name for n in shown)]
    several = len(shown_venues) > 1
    settled = "what was repaid or closed" if run.exchanges else "the debt repaid"
    drawn = drawing("tree-chart", "The cascade as a tree", told, height, *parts, class_="network")
    return chart_figure(
        "Liquidations by wave, each tied to the one whose sale caused it",
        f"{told} Above each column its wave; a dot is as large as {settled}.",
        legend(("node", _colour(venues, name), name) for name in shown_venues) if several else None,
        element("div", drawn, class_="plot wide"),
    )


def _colour(venues: Sequence[str], name: str) -> str:
    return f"v{venues.index(name) % 5 if name in venues else 0}"


def _steps(run: Run) -> Markup:
    rows = [
        (edge.kind, edge.source, edge.target, count(edge.block), edge.venue, edge.asset)
        for edge in run.cascade[:_MOST_ROWS]
    ]
    part = "" if len(rows) == len(run.cascade) else f", the first {len(rows)} of {len(run.cascade)}"
    made = table(
        "steps",
        f"Steps of the cascade{part}; amounts, spots and answers are in cascade.parquet.",
        ("Step", "From", "To", "Block", "Venue", "Asset"),
        rows,
        text_columns=(0, 1, 2, 4, 5),
    )
    return details("Every step as a table", made)


def loss_flow(run: Run) -> Section:
    """Who had less in the end, and who more: value that changed hands, at the last prices."""
    totals: dict[tuple[str, str], float] = defaultdict(float)
    for row in run.losses:
        totals[row.venue, row.role] += row.usd
    shown = sorted(
        (
            (usd, f"{role}, {venue}" if venue else role)
            for (venue, role), usd in totals.items()
            if abs(usd) > _LEAST_SHOWN
        )
    )
    if not shown:
        return Section("losses", "Who carried the loss", element("p", "Nothing changed hands."))
    largest = max(abs(usd) for usd, _ in shown)
    parts: list[Markup] = []
    for place, (usd, label) in enumerate(shown):
        y = 36 * place
        width = 28 * abs(usd) / largest
        start = 50 - width if usd < 0 else 50
        style = "area before" if usd < 0 else "area a"
        parts.append(element("text", label, x="0%", y=y + 12, class_="start strong"))
        bar = element(
            "rect",
            x=f"{start:.2f}%",
            y=y + 17,
            width=f"{max(width, 0.2):.2f}%",
            height=13,
            class_=style,
        )
        at, anchor, shift = (start, "end", -6) if usd < 0 else (50 + width, "start", 6)
        text = element("text", short(usd), x=f"{at:.2f}%", dx=shift, y=y + 28, class_=anchor)
        parts += [bar, text]
    height = 36 * len(shown)
    parts.append(element("line", x1="50%", x2="50%", y1=0, y2=height, class_="zero"))
    told = "Gains to the right, losses to the left; together they are zero."
    drawn = drawing("loss-chart", "Gains and losses by role", told, height, *parts, class_="bars")
    figure = chart_figure(
        "Value that changed hands, by role",
        f"{told} At the last outside prices; the fall of prices on what everybody held is not in "
        "it.",
        None,
        element("div", drawn, class_="plot wide"),
    )
    return Section("losses", "Who carried the loss", join([figure, _ledger(run.losses)]))


def _ledger(losses: Sequence[Loss]) -> Markup:
    rows = [
        (row.role, row.venue, row.asset or "unpaid debt", f"{row.amount:,.4f}", short(row.usd))
        for row in sorted(losses, key=lambda row: row.usd)[:_MOST_ROWS]
    ]
    made = table(
        "ledger",
        "What each role gained and lost of each asset, tokens and USD; the integers are in "
        "losses.parquet, where every asset adds up to zero.",
        ("Role", "Venue", "Asset", "Amount", "USD"),
        rows,
        text_columns=(0, 1, 2),
    )
    return details("The ledger", made)
