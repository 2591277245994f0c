"""The page of a run: its figures are the run's, its markup is sound, and it needs nothing else."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.errors import ScenarioError
from harness.report import report
from harness.report.data import Run, load_run
from harness.report.figures import money
from harness.report.page import render
from harness.report.sentences import three_sentences
from harness.report.tallies import outcomes, takings

SECTIONS = {
    "story": "What happened",
    "prices": "Prices",
    "waves": "Liquidations in waves",
    "insolvency": "Insolvency and who carries it",
    "tree": "What led to what",
    "losses": "Who carried the loss",
    "health": "Health factors before and after",
    "calls": "Margin calls and how they were answered",
    "liquidators": "Liquidators",
    "transactions": "Transactions that failed or waited",
    "positions": "The largest positions",
    "setting": "Setting",
    "assumptions": "Assumptions",
    "limitations": "Limitations",
    "sources": "Sources",
    "words": "Words used here",
    "manifest": "How to repeat it",
}
VOID = {"br", "col", "hr", "link", "meta"}


class Node:
    """An element with its attributes and content."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node | str] = []

    def all(self, *tags: str) -> list[Node]:
        """Elements of these kinds in here, in order; of every kind if none is named."""
        found = []
        for child in self.children:
            if isinstance(child, Node):
                if not tags or child.tag in tags:
                    found.append(child)
                found += child.all(*tags)
        return found

    def text(self) -> str:
        """All the text in here."""
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)


class Tree(HTMLParser):
    """Parses a page, and insists that every element is closed in its order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = Node("", {})
        self._open = [self.root]
        self.feed(page)
        self.close()
        assert [node.tag for node in self._open] == [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parsed(page: Path) -> Node:
    return Tree(page.read_text("utf-8")).root


def with_id(root: Node, identity: str) -> Node:
    (found,) = (node for node in root.all() if node.attributes.get("id") == identity)
    return found


# --- figures --------------------------------------------------------------------------------------

UNITS = {"million": 1e6, "billion": 1e9, "trillion": 1e12, "M": 1e6, "B": 1e9, "T": 1e12}
NUMBER = re.compile(r"^(\u2212?)\$?([\d,]+)(?:\.(\d+))?\s?(million|billion|trillion|[MBT](?= |$))?")


def agrees(text: str, value: float) -> bool:
    """Whether a text says a value, to the last digit it gives."""
    words = {"never": 0, "once": 1, "twice": 2, "none": 0}
    if text in words:
        return value == words[text]
    match = NUMBER.match(text)
    if match is None:
        return False
    sign, whole, part, unit = match.groups()
    scale = UNITS.get(unit, 1.0)
    said = float(f"{whole.replace(',', '')}.{part or 0}") * scale * (-1 if sign else 1)
    return math.isclose(said, value, rel_tol=1e-12, abs_tol=0.5001 * scale / 10 ** len(part or ""))


def recorded(summary: dict[str, Any], path: str) -> Any:
    value: Any = summary
    for key in path.split("."):
        value = value[key]
    return value


def test_every_figure_is_that_of_the_summary(page: Path) -> None:
    summary = json.loads((page.parent / "summary.json").read_text("utf-8"))
    figures = [node for node in parsed(page).all("data") if "data-figure" in node.attributes]
    paths = set()
    for node in figures:
        path, value = node.attributes["data-figure"], node.attributes["value"]
        assert path
        assert value
        paths.add(path)
        assert float(value) == recorded(summary, path), path
        assert agrees(node.text(), float(value)), (path, node.text(), value)
    assert paths >= {
        "liquidations.count",
        "liquidations.repaid_usd",
        "margin_calls.count",
        "margin_calls.ignored",
        "prices.ETH.low",
        "prices.ETH.exogenous_low",
        "solvency.bad_debt_usd",
        "solvency.insolvency_usd",
        "solvency.shortfall_market_usd",
        "transactions.reverted",
    }


def test_agrees_is_strict() -> None:
    assert agrees("$7.26 million", 7_258_595.88)
    assert not agrees("$7.26 million", 7_266_000)
    assert agrees("$7,258,596", 7_258_595.88)
    assert not agrees("$7,258,595", 7_258_595.88)
    assert agrees("\u22120.198", -0.19775)
    assert not agrees("0.198", -0.19775)
    assert agrees("418 liquidations", 418)
    assert not agrees("once", 2)


def test_exact_amounts_are_those_of_the_summary(dominoes: Path) -> None:
    summary = json.loads((dominoes / "summary.json").read_text("utf-8"))
    decimals = {"ETH": 18, "USDX": 6}
    shown = {
        node.attributes["data-exact"]: node
        for node in parsed(report(dominoes)).all("data")
        if "data-exact" in node.attributes
    }
    expected = {
        f"{path}.{symbol}": (symbol, amount)
        for path, amounts in summary["exact"].items()
        for symbol, amount in amounts.items()
    }
    assert shown.keys() == expected.keys()
    for path, (symbol, amount) in expected.items():
        whole, part = shown[path].text().replace(",", "").split(".")
        assert len(part) == decimals[symbol]
        assert str(int(whole + part)) == amount == shown[path].attributes["value"]


def test_the_twin_is_the_one_of_the_tables(dominoes: Path) -> None:
    import pyarrow.parquet as pq

    rows = pq.read_table(dominoes / "liquidations.parquet").to_pylist()
    twin = [row for row in rows if row["wave"] < 0]
    last = pq.read_table(dominoes / "blocks.parquet").to_pylist()[-1]
    insolvent = sum(
        int(last[f"twin.venue.market.{name}"]) for name in ("bad_debt", "shortfall_market")
    )
    table = with_id(parsed(report(dominoes)), "compared")
    shown = {row.all("th")[0].text(): row.all("td")[1].text() for row in table.all("tr")[1:]}
    assert shown["Liquidations"] == str(len(twin))
    assert shown["Debt they repaid"] == money(sum(int(row["repaid_usd"]) for row in twin) / 1e18)
    assert shown["Insolvency at the end"] == money(insolvent / 1e18)


def test_what_is_shown_by_group_adds_up_to_the_summary(dominoes: Path) -> None:
    run = load_run(dominoes)
    done, sent = outcomes(run).values(), run.summary["transactions"]
    for name in ("sent", "succeeded", "reverted", "expired"):
        assert sum(getattr(each, name) for each in done) == sent[name]
    taken = takings(run).values()
    liquidated = run.summary["liquidations"]
    assert sum(each.liquidations for each in taken) == liquidated["count"]
    assert sum(each.repaid for each in taken) == pytest.approx(liquidated["repaid_usd"])
    fees = sum(each.fees for each in taken) * run.prices["ETH"].outside[-1]
    profit = sum(each.profit for each in taken) - fees
    assert profit == pytest.approx(liquidated["liquidator_profit_usd"], abs=1e-6)
    paid = sum(each.fee for each in run.sent)
    assert paid == pytest.approx(int(run.summary["exact"]["fees.paid"]["ETH"]) / 1e18)


def test_deficit_by_carrier_ends_as_the_summary_has_it(dominoes: Path) -> None:
    run = load_run(dominoes)
    solvency = run.summary["solvency"]
    assert run.carried.by_suppliers[-1] == pytest.approx(solvency["socialized_loss_usd"])
    carried = run.carried.by_reserves[-1] + run.carried.by_suppliers[-1]
    assert carried == pytest.approx(solvency["deficit_usd"])
    assert run.total[0].insolvency[-1] == pytest.approx(solvency["insolvency_usd"])


# --- what it says ---------------------------------------------------------------------------------


def test_three_sentences(page: Path) -> None:
    story = with_id(parsed(page), "story")
    sentences = [item.text() for item in story.all("ol")[0].all("li")]
    assert len(sentences) == 3
    for text in sentences:
        assert text.endswith(".")
        assert re.search(r"\.\s", text) is None, "one sentence each"


def test_what_happened(dominoes: Path) -> None:
    run = load_run(dominoes)
    waves = run.summary["cascade"]["max_wave"]
    assert waves >= 2, "made for it"
    shock, cascade, loss = map(str, three_sentences(run))
    assert "ETH" in shock
    assert "fell by 40" in shock
    assert "18 borrowers" in shock
    assert f"earlier forced sales had moved, in {waves} further waves; " in cascade
    assert "against $" in loss


def test_a_quiet_run_says_that_nothing_happened(calm: Path) -> None:
    shock, cascade, loss = map(str, three_sentences(load_run(calm)))
    assert "stayed between" in shock
    assert "none of 50 borrowers" in shock
    assert cascade == "Nothing was liquidated, whether forced sales move prices or not."
    assert "every debt is covered" in loss
    root = parsed(report(calm))
    assert "Nothing was liquidated." in with_id(root, "waves").text()
    assert "No account was called." in with_id(root, "calls").text()
    assert "There was none in any block" in with_id(root, "insolvency").text()


def test_a_failed_check_stands_first(vacuous: Path, calm: Path, dominoes: Path) -> None:
    alarm = with_id(parsed(report(vacuous)), "story").all("div")[0]
    assert alarm.text().startswith("Check failed: vacuous:")
    assert 'class="alarm"' not in report(calm).read_text("utf-8")
    run = load_run(dominoes)
    checks = {"invariants": {"MKT-1": False}, "vacuous": False}
    warnings = ["venue[0]: unwise", "MKT-1 at block 7: off by one"]
    summary = {**run.summary, "checks": checks, "warnings": warnings}
    broken = Tree(render(dataclasses.replace(run, summary=summary))).root
    assert "Check failed: MKT-1 at block 7" in with_id(broken, "story").text()
    assert "Warning: venue[0]: unwise" in with_id(broken, "story").text()
    assert "violated" in with_id(broken, "checks").text()


def test_liquidated_only_without_feedback(dominoes: Path) -> None:
    run = load_run(dominoes)
    liquidations = {**run.summary["liquidations"], "count": 0, "repaid_usd": 0.0}
    cascade = {**run.summary["cascade"], "waves": [], "max_wave": None}
    summary = {**run.summary, "liquidations": liquidations, "cascade": cascade}
    page = Tree(render(dataclasses.replace(run, summary=summary, liquidations=()))).root
    assert "Nothing was liquidated; without feedback there are" in with_id(page, "waves").text()


def with_waves(run: Run, number: int) -> Run:
    """The same run as if each of its liquidations had been in a wave of its own, many times."""
    (one, *_), waves = run.liquidations, range(number)
    summary = dict(run.summary)
    summary["liquidations"] = {**summary["liquidations"], "count": number}
    summary["cascade"] = {
        **summary["cascade"],
        "waves": [{"wave": wave, "count": 1, "repaid_usd": one.repaid} for wave in waves],
        "max_wave": number - 1,
    }
    rows = [one._replace(wave=wave, block=wave % len(run.times)) for wave in waves]
    return dataclasses.replace(run, summary=summary, liquidations=rows)


def test_many_waves_stay_readable(dominoes: Path) -> None:
    page = Tree(render(with_waves(load_run(dominoes), 40))).root
    chart = with_id(page, "waves-count")
    labels = [node.text() for node in chart.all("text") if node.attributes.get("x") == "-8"]
    assert labels == [*(f"wave {wave}" for wave in range(11)), "wave 11+"]
    assert "29" in [node.text() for node in chart.all("text")], "all later waves together"
    lanes = [node.text() for node in with_id(page, "price-ETH").all("text")]
    assert [text for text in lanes if text.startswith("wave")] == [
        *("wave 0", "wave 1", "wave 2", "wave 3", "wave 4+")
    ]
    assert len(with_id(page, "waves-table").all("tbody")[0].all("tr")) == 40


def test_assumptions_stand_apart_from_limitations(dominoes: Path) -> None:
    root = parsed(report(dominoes))
    assert "The pool & the outside market are thin" in with_id(root, "assumptions").text()
    assert with_id(root, "limitations").text() == "LimitationsThe scenario states none."


def test_the_command_repeats_the_run(dominoes: Path, tmp_path: Path) -> None:
    made = json.loads((dominoes / "manifest.json").read_text("utf-8"))
    text = with_id(parsed(report(dominoes)), "manifest").text()
    for part in (made["command"], made["digest"], made["engine"], made["files"]["summary.json"]):
        assert part in text
    given = [
        "run",
        str(dominoes / "scenario.toml"),
        "--seed",
        "3",
        "--out",
        str(tmp_path / "again"),
    ]
    assert "harness run scenario.toml --seed 3 --out again" in text
    assert main([*given, "--quiet"]) == 0
    again = json.loads((tmp_path / "again" / "manifest.json").read_text("utf-8"))
    assert again["digest"] == made["digest"]


def test_failures_are_decoded_and_explained(dominoes: Path) -> None:
    table = with_id(parsed(report(dominoes)), "failures")
    rows = [[cell.text() for cell in row.all("th", "td")] for row in table.all("tr")[1:]]
    assert any(
        agent == "keeper (2)" and outcome == "failed" and reason.startswith("Healthy: the account")
        for agent, _, outcome, reason, *_ in rows
    )
    assert any(reason.startswith("bid below the background bid: ") for *_, reason, _, _ in rows)


# --- markup ---------------------------------------------------------------------------------------


def test_every_section_is_there_and_holds_something(page: Path) -> None:
    root = parsed(page)
    sections = root.all("section")
    titles = {node.attributes["id"]: node.all("h2")[0].text() for node in sections}
    assert titles == SECTIONS
    for section in sections:
        assert len(section.text()) > len(section.all("h2")[0].text()) + 10
    for figure in root.all("figure"):
        assert figure.all("svg")
        assert figure.all("figcaption")[0].text()


def test_landmarks_headings_and_references(page: Path) -> None:
    root = parsed(page)
    assert [root.all("html")[0].attributes["lang"]] == ["en"]
    for tag in ("header", "nav", "main", "footer", "h1", "title"):
        assert len([n for n in root.all(tag) if tag != "title" or n in head(root)]) == 1, tag
    levels = [int(node.tag[1]) for node in root.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    for before, after in itertools.pairwise(levels):
        assert after <= before + 1
    identities = [node.attributes["id"] for node in root.all() if "id" in node.attributes]
    assert len(set(identities)) == len(identities)
    for node in root.all():
        for name in ("aria-labelledby", "aria-describedby"):
            for identity in (node.attributes.get(name) or "").split():
                assert with_id(root, identity).text().strip()
        target = node.attributes.get("href") or ""
        if target.startswith("#"):
            assert target[1:] in identities


def head(root: Node) -> list[Node]:
    return root.all("head")[0].all()


def test_tables_have_captions_and_scopes(page: Path) -> None:
    for table in parsed(page).all("table"):
        assert table.all("caption")[0].text()
        columns = list(table.all("thead")[0].all("th"))
        assert all(cell.attributes["scope"] == "col" for cell in columns)
        for row in [row for part in table.all("tbody", "tfoot") for row in part.all("tr")]:
            assert row.all("th")[0].attributes["scope"] == "row"
            assert len(row.all("th", "td")) == len(columns)


def test_every_chart_is_described_and_has_its_figures_in_text(page: Path) -> None:
    root = parsed(page)
    charts = [node for node in root.all("svg") if node.attributes.get("role") == "img"]
    assert len(charts) >= 4
    for chart in charts:
        title, described = with_id(root, f"{chart.attributes['id']}-title"), chart.all("desc")[0]
        assert chart.children[0] is title
        assert title.text()
        assert len(described.text()) > 10
        assert chart.attributes["aria-labelledby"] == (
            f"{title.attributes['id']} {described.attributes['id']}"
        )
    for node in root.all("svg"):
        assert isinstance(node.children[0], Node)
        assert node.children[0].tag == "title", "every SVG has one"
    for figure in root.all("figure"):
        charted = [chart for chart in figure.all("svg") if chart.attributes.get("role") == "img"]
        over_time = charted[0].attributes.get("class") == "over-time"
        assert not over_time or figure.all("details")[0].all("table")


def test_nothing_comes_from_elsewhere_and_nothing_runs(page: Path) -> None:
    text = page.read_text("utf-8")
    root = Tree(text).root
    assert not root.all("script", "img", "iframe", "object", "embed", "form", "base", "b", "i")
    for node in root.all():
        for name, value in node.attributes.items():
            assert not name.startswith("on")
            if name in ("src", "srcset", "xlink:href", "data", "action", "poster"):
                pytest.fail(f"<{node.tag} {name}={value}>")
            if name == "href" and node.tag != "a":
                assert value == "data:,"
            if name == "href" and node.tag == "a":
                assert re.match(r"#|https?://", value or "")
    style = root.all("style")[0].text()
    assert "@import" not in style
    assert set(re.findall(r"url\(([^)]*)\)", style)) == {"#hatch-a", "#hatch-b"}
    (policy,) = (
        node.attributes["content"]
        for node in root.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert len(text.encode()) < 2_000_000


def test_hostile_texts_are_shown_as_they_are(dominoes: Path) -> None:
    text = report(dominoes).read_text("utf-8")
    root = Tree(text).root
    title = "A step of 2% & a row of dominoes <script>alert('title')</script>"
    assert root.all("h1")[0].text() == title
    assert root.all("title")[0].text().startswith(title)
    assert "<script" not in text
    assert "<img" not in text
    assert "Made up: <img src=x onerror=alert(1)>" in with_id(root, "sources").text()
    (link,) = with_id(root, "sources").all("a")
    assert link.attributes["href"] == link.text() == "https://example.org/paper?a=1&b=2"
    accounts = [row.all("th")[0].text() for row in with_id(root, "positions-table").all("tr")[1:]]
    assert '<i>first</i> & "foremost"' in accounts


# --- the command ----------------------------------------------------------------------------------


def test_the_same_directory_gives_the_same_page(dominoes: Path, tmp_path: Path) -> None:
    page = report(dominoes).read_bytes()
    shutil.copytree(dominoes, tmp_path / "elsewhere")
    assert report(tmp_path / "elsewhere").read_bytes() == page
    assert report(dominoes, tmp_path / "page.html").read_bytes() == page


def test_where_it_is_written(dominoes: Path, tmp_path: Path, capsys: Any) -> None:
    assert report(dominoes) == dominoes / "report.html"
    assert report(dominoes, tmp_path) == tmp_path / "report.html"
    assert main(["report", str(dominoes), "--out", str(tmp_path / "a.html")]) == 0
    assert capsys.readouterr().out == f"written to {tmp_path / 'a.html'}\n"
    assert main(["report", str(dominoes), "--out", str(tmp_path / "a.html"), "--json"]) == 0
    size = (tmp_path / "a.html").stat().st_size
    written = {"report": str(tmp_path / "a.html"), "bytes": size}
    assert json.loads(capsys.readouterr().out) == written
    assert main(["report", str(dominoes), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "report.html"]
    assert main(["verify", str(dominoes), "--quiet"]) == 0, "a page beside a run does no harm"


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_only_complete_runs(dominoes: Path, tmp_path: Path, capsys: Any, status: str) -> None:
    folder = shutil.copytree(dominoes, tmp_path / "run", ignore=lambda *_: ["report.html"])
    made = json.loads((folder / "manifest.json").read_text("utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**made, "status": status}), "utf-8")
    with pytest.raises(ScenarioError, match="a complete run"):
        report(folder)
    assert main(["report", str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (folder / "report.html").exists()


def test_a_changed_file_is_refused(dominoes: Path, tmp_path: Path, capsys: Any) -> None:
    folder = shutil.copytree(dominoes, tmp_path / "run")
    summary = folder / "summary.json"
    summary.write_text(summary.read_text("utf-8").replace("1", "2", 1), "utf-8")
    assert main(["report", str(folder)]) == 2
    assert "summary.json" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["manifest.json", "summary.json", "blocks.parquet"])
def test_no_file_of_the_run_is_overwritten(dominoes: Path, name: str) -> None:
    before = (dominoes / name).read_bytes()
    with pytest.raises(ScenarioError, match="other than those of the run"):
        report(dominoes, dominoes / "." / name)
    assert (dominoes / name).read_bytes() == before


def test_a_place_that_cannot_be_written(dominoes: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["report", str(dominoes), "--out", str(tmp_path / "none" / "page.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["report", str(tmp_path)]) == 2


def test_a_new_run_replaces_the_page_of_the_earlier_one(tmp_path: Path) -> None:
    given = ["run", "calm", "--set", "clock.blocks=2", "--out", str(tmp_path / "run"), "--quiet"]
    assert main(given) == 0
    page = report(tmp_path / "run")
    assert main(given) == 0
    assert not page.exists()
