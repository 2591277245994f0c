"""The tables, the page and the verification of a run with an exchange."""

from __future__ import annotations

import re
from html import unescape

import pyarrow.parquet as pq
import pytest

from harness.cli import main
from harness.report import report

from .conftest import SMALL


def rows_of(page: str, identity: str) -> list[list[str]]:
    """The cells of a table's body and foot, in text."""
    (made,) = re.findall(rf'<table id="{identity}".*?</table>', page, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", made, re.DOTALL)[1:]
    return [
        [unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in rows
    ]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("perps") / "run"
    words = ["run", str(SMALL), "--seed", "3", "--out", str(path), "--set", "clock.blocks=25", "-q"]
    assert main(words) == 0
    return path


def test_the_page_has_the_exchange_with_the_figures_of_the_summary(directory, capsys) -> None:
    assert main(["report", str(directory)]) == 0
    page = (directory / "report.html").read_text("utf-8")
    assert 'id="exchanges"' in page
    figures = dict(re.findall(r'value="([^"]*)" data-figure="(exchanges[^"]*)"', page))
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    assert "30 traders" in text
    assert "exchanges.perps.margin_calls.count" in figures.values()
    assert "insurance fund" in text
    assert "None" not in text


def test_rows_of_the_page_add_up_and_every_check_says_what_it_checks(directory) -> None:
    page = report(directory).read_text("utf-8")
    sent = [int(cells[6].replace(",", "")) for cells in rows_of(page, "liquidators-table")]
    *each, total = sent
    assert sum(each) == total > 0
    checks = rows_of(page, "checks")
    assert {name for name, *_ in checks} >= {"PRP-1", "MKT-1"}
    assert all(sentence for _, sentence, _ in checks)
    traders = rows_of(page, "traders")
    assert traders[0][:4] == ["traders", "perps", "BTC, ETH", "24"]


def test_a_run_with_an_exchange_verifies_from_its_tables(directory, capsys) -> None:
    assert main(["verify", str(directory)]) == 0
    assert main(["verify", str(directory), "--rerun"]) == 0


def test_blocks_hold_markets_and_books_of_the_exchange(directory) -> None:
    table = pq.read_table(directory / "blocks.parquet")
    names = set(table.column_names)
    assert {"exchange.perps.ETH.mark_wad", "exchange.perps.insurance_equity"} <= names
    assert {"venue.perps.bad_debt", "twin.venue.perps.bad_debt"} <= names
    rows = table.to_pydict()
    first = rows["index"].index(0)
    for place in range(first, len(rows["index"])):
        assert rows["exchange.perps.ETH.long_size"][place] >= 0
        assert rows["exchange.perps.deficit"][place] == 0


def test_liquidations_name_what_was_closed(directory) -> None:
    rows = pq.read_table(directory / "liquidations.parquet").to_pylist()
    perps = [row for row in rows if row["venue"] == "perps"]
    assert perps
    for row in perps:
        assert row["collateral"] in ("ETH", "BTC")
        assert row["debt"] == "USDC"
        assert row["seized"] >= row["repaid"] > 0
        assert row["health_factor"] < 10**18


def test_what_accounts_held_adds_up_to_the_books(directory) -> None:
    """Cash of all accounts in the table is what the exchange's books say, before and after."""
    rows = pq.read_table(directory / "traders.parquet").to_pylist()
    assert {row["kind"] for row in rows} == {"cash", "position", "collateral"}
    blocks = pq.read_table(directory / "blocks.parquet").to_pydict()
    first = blocks["index"].index(0)
    for side, place in (("before", first), ("after", -1)):
        cash = sum(row[side] for row in rows if row["kind"] == "cash")
        assert cash == blocks["exchange.perps.cash"][place]
        for market in ("ETH", "BTC"):
            sizes = [r[side] for r in rows if (r["kind"], r["asset"]) == ("position", market)]
            longs = sum(size for size in sizes if size > 0)
            assert longs == blocks[f"exchange.perps.{market}.long_size"][place]


@pytest.mark.slow
def test_compare_takes_an_exchange(directory, capsys, tmp_path) -> None:
    words = ["compare", str(SMALL), "--mitigations", "full-close", "--seeds", "1", "-q"]
    words += ["--out", str(tmp_path / "c"), "--set", "clock.blocks=8"]
    assert main(words) == 0
