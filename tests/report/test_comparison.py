"""The page of a comparison: its figures are the file's, and a remedy that moves losses says so."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.errors import ScenarioError
from harness.experiments.compare import BASELINE
from harness.experiments.moved import direction, shifts
from harness.metrics.outcome import FIGURES
from harness.report import report
from harness.report.comparison import load_comparison
from harness.risk.intervals import Interval

SMALL = (
    "clock.blocks=40",
    "asset.ETH.price={process='constant', shock=[{at_s=600, factor=0.7, ramp_s=600}]}",
    "population.borrowers.health={excess_median=0.2, excess_sigma=0.6, min=1.05, max=3}",
    "population.borrowers.count=20",
)


def content(
    changes: dict[str, dict[str, list[float | None] | None]], seeds: int = 3
) -> dict[str, Any]:
    """A comparison whose remedies change what is stated and nothing else."""
    level = {figure: [100.0, 90.0, 110.0] for figure in FIGURES}
    still: list[float | None] = [0.0, 0.0, 0.0] if seeds > 1 else [0.0, None, None]
    trial = {"digest": "0x00", "violated": [], "vacuous": None, **dict.fromkeys(FIGURES, 1.0)}
    return {
        "schema": 1,
        "scenario": "made-up",
        "command": "harness compare made-up",
        "seeds": list(range(seeds)),
        "mitigations": list(changes),
        "contagion": None,
        "levels": dict.fromkeys((BASELINE, *changes), level),
        "differences": {
            name: {figure: some.get(figure, still) for figure in FIGURES}
            for name, some in changes.items()
        },
        "trials": [
            {"mitigation": name, "seed": seed, **trial}
            for name in (BASELINE, *changes)
            for seed in range(seeds)
        ],
    }


MOVES = {
    "moves": {"insolvency_usd": [-5e6, -8e6, -2e6], "borrower_loss_usd": [3e6, 1e6, 5e6]},
    "helps": {"insolvency_usd": [-5e6, -8e6, -2e6], "time_to_recover": None},
    "unclear": {"insolvency_usd": [-1e6, -3e6, 1e6], "borrower_loss_usd": [3e6, 1e6, 5e6]},
}


def page_of(folder: Path, made: dict[str, Any]) -> str:
    folder.joinpath("comparison.json").write_text(json.dumps(made), "utf-8")
    return report(folder).read_text("utf-8")


class Balance(HTMLParser):
    """Insists that every element is closed in its order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        if tag not in {"meta", "link", "br", "hr", "col"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_remedy_that_moves_losses_is_shown_doing_it(tmp_path) -> None:
    page = page_of(tmp_path, content(MOVES))
    Balance(page)
    alarm = re.search(r'<div class="alarm">(.*?)</div>', page)
    assert alarm is not None
    assert re.findall("<strong>(.*?)</strong>", alarm[1]) == ["moves moves losses. "]
    assert "Insolvency falls, borrowers lose more." in alarm[1]
    drawn = page[page.index('id="bearers-forest"') : page.index('id="insolvency-usd"')]
    for text in (">moves<", "Borrowers&#x27; loss: +$3.00M [+$1.00M, +$5.00M]"):
        assert text in drawn


def test_runs_that_prove_nothing_are_told_at_the_top(tmp_path) -> None:
    made = content({"helps": MOVES["helps"]})
    made["trials"][-1]["vacuous"] = "no account was called"
    made["trials"][-2]["violated"] = ["MKT-1"]
    page = page_of(tmp_path, made)
    alarm = re.search(r'<div class="alarm">(.*?)</div>', page)
    assert alarm is not None
    assert "in 1 of 3 runs an invariant was violated." in alarm[1]
    assert "in 1 of 3 runs no account was called." in alarm[1]
    assert "helps, seed 1: violates MKT-1" in page


def test_a_page_without_moved_losses_raises_no_alarm(tmp_path) -> None:
    page = page_of(tmp_path, content({"helps": MOVES["helps"]}))
    assert 'class="alarm"' not in page
    assert "insolvency falls by $5.00M" in page


def test_contagion_is_shown_where_it_was_measured(tmp_path) -> None:
    made = content({"helps": MOVES["helps"]})
    assert "Contagion" not in re.sub("<dl.*</dl>", "", page_of(tmp_path, made))
    cells = {"aave": {"aave": [1.0, 0.0, 2.0], "other": [2e6, 1e6, 3e6]}}
    matrix = cells | {"other": {"aave": [0.0, 0.0, 0.0], "other": [5.0, 1.0, 9.0]}}
    made["contagion"] = {BASELINE: matrix, "helps": matrix}
    page = page_of(tmp_path, made)
    Balance(page)
    assert "Contagion, venue by venue" in page
    section = page[page.index('<section id="contagion"') : page.index('<section id="trials"')]
    assert section.count("$2.00M") == 2


def test_one_seed_is_said_to_have_no_mean_and_no_interval(tmp_path) -> None:
    made = content({"helps": MOVES["helps"]})
    made["seeds"] = [0]
    page = page_of(tmp_path, made)
    text = re.sub('<dl class="words".*?</dl>', "", page, flags=re.DOTALL)
    assert "Change against the market as it is, one seed" in text
    assert "95% interval, paired" not in text
    assert "as it is, mean" not in text


def test_changes_that_read_as_nothing_are_drawn_as_nothing(tmp_path) -> None:
    made = content({"helps": MOVES["helps"]})
    made["differences"]["helps"]["capital_efficiency"] = [-3e-6, -4e-6, -2e-6]
    page = page_of(tmp_path, made)
    drawn = page[page.index('id="capital-efficiency-forest"') :]
    drawn = drawn[: drawn.index("</figure>")]
    assert "helps: 0.000 [0.000, 0.000]" in drawn
    assert "capital efficiency falls" not in page
    assert "mark wave-4" in drawn
    assert not re.search(r"[-\u2212]0(\.0*)?[^.\d]", re.sub('="[^"]*"', "", drawn))


def test_a_comparison_of_an_older_version_says_what_to_do(tmp_path) -> None:
    made = json.loads(json.dumps(content(MOVES)))
    made["command"] = "harness compare thin-pool.toml --mitigations helps"
    for cells in (*made["levels"].values(), *made["differences"].values()):
        del cells["vault_loss_usd"]
    with pytest.raises(ScenarioError) as raised:
        page_of(tmp_path, made)
    text = str(raised.value)
    assert "vault_loss_usd, which an older version did not write" in text
    assert "run `harness compare thin-pool.toml --mitigations helps` again" in text
    assert "\n" not in text


def test_marks_tell_better_worse_and_unclear_apart(tmp_path) -> None:
    page = page_of(tmp_path, content(MOVES))
    insolvency = page[page.index('id="insolvency-usd-forest"') : page.index('id="bad-debt-usd"')]
    marks = re.findall(r"<title>(\w+): [^<]*</title><path[^>]*class=\"mark (wave-\d)\"", insolvency)
    assert marks == [("moves", "wave-2"), ("helps", "wave-2"), ("unclear", "wave-4")]
    borrowers = page[page.index('id="borrower-loss-usd-forest"') : page.index('id="liquidator-pro')]
    marks = re.findall(r"<title>(\w+): [^<]*</title><path[^>]*class=\"mark (wave-\d)\"", borrowers)
    assert marks == [("moves", "wave-1"), ("helps", "wave-4"), ("unclear", "wave-1")]


def test_marks_and_whiskers_stand_where_their_values_are(tmp_path) -> None:
    page = page_of(tmp_path, content({"moves": MOVES["moves"]}))
    drawn = page[page.index('id="insolvency-usd-forest"') : page.index('id="bad-debt-usd"')]
    ticks = {
        float(text.replace("\u2212", "-").replace("$", "").replace("M", "")): float(x)
        for x, text in re.findall(r'<text x="([\d.]+)%"[^>]*>([\u2212$\d.M]+)</text>', drawn)
    }
    unit = (ticks[0.0] - ticks[-8.0]) / 8
    (x1, x2) = re.search(r'x1="([\d.]+)%" x2="([\d.]+)%"[^>]*class="whisker"', drawn).groups()
    assert float(x1) == pytest.approx(ticks[0.0] - 8 * unit, abs=0.02)
    assert float(x2) == pytest.approx(ticks[0.0] - 2 * unit, abs=0.02)
    (mark,) = re.findall(r'<path[^>]*class="mark wave-2"[^>]*></path></svg>', drawn) or [""]
    assert mark
    place = re.search(r'<svg x="([\d.]+)%" y="42"', drawn)
    assert place is not None
    assert float(place[1]) == pytest.approx(ticks[0.0] - 5 * unit, abs=0.02)


def test_one_seed_is_said_to_tell_nothing(tmp_path) -> None:
    made = content({"one": {"insolvency_usd": [-5e6, None, None]}}, seeds=1)
    page = page_of(tmp_path, made)
    assert "One seed is one path" in page
    assert "one seed" in page
    assert direction(Interval(-5e6, None, None)) == 0


def test_shifts_need_both_sides_to_be_clear() -> None:
    differences = {
        name: {figure: Interval(*(some.get(figure) or (0.0, 0.0, 0.0))) for figure in FIGURES}
        for name, some in MOVES.items()
    }
    assert [(s.remedy, s.spared, s.burdened) for s in shifts(differences)] == [
        ("moves", "suppliers", "borrowers")
    ]


@pytest.mark.parametrize(
    "broken",
    ["", "{}", "[]", '{"schema": 1, "levels": {}, "differences": {}}', "not json"],
)
def test_what_is_no_comparison_is_refused_in_one_line(tmp_path, broken) -> None:
    (tmp_path / "comparison.json").write_text(broken, "utf-8")
    with pytest.raises(ScenarioError, match="that `harness compare` wrote") as refused:
        load_comparison(tmp_path)
    assert "\n" not in str(refused.value)
    assert main(["report", str(tmp_path)]) == 2
    assert not (tmp_path / "report.html").exists()


def test_names_from_outside_are_escaped(tmp_path) -> None:
    page = page_of(tmp_path, content({"<script>alert(1)</script>": MOVES["moves"]}))
    assert "<script>" not in page
    Balance(page)


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> Path:
    """What the command writes."""
    folder = tmp_path_factory.mktemp("compare")
    arguments = ["compare", "calm", "--mitigations", "full-close,tightening-threshold"]
    sets = [word for each in SMALL for word in ("--set", each)]
    assert main([*arguments, *sets, "--seeds", "2", "-q", "--out", str(folder)]) == 0
    return folder


def test_the_command_writes_the_page_and_report_writes_it_again(compared, tmp_path, capsys) -> None:
    page = (compared / "report.html").read_text("utf-8")
    Balance(page)
    assert main(["report", str(compared), "--out", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text("utf-8") == page
    made = json.loads((compared / "comparison.json").read_text("utf-8"))
    assert made["command"].startswith("harness compare calm --set clock.blocks=40")
    assert made["command"].endswith(
        "--mitigations full-close,tightening-threshold --seed 0 --seeds 2"
    )
    assert "harness compare calm --set clock.blocks=40" in page
    for trial in made["trials"]:
        assert trial["digest"] in page
    assert main(["report", str(compared), "--out", str(compared / "comparison.json")]) == 2


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_overflows_or_is_fetched_in_a_browser(browser, tmp_path, width) -> None:
    page_of(tmp_path, content({"a remedy of a long name + another one": MOVES["moves"], **MOVES}))
    page = tmp_path / "report.html"
    browser.open(page, width=width)
    root = "document.documentElement"
    assert browser.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    outside = """[...document.querySelectorAll('svg text')].filter(text => {
      const box = text.getBoundingClientRect();
      return box.width > 0 && (box.left < 0
        || box.right > document.documentElement.clientWidth); }).map(text => text.textContent)"""
    assert browser.evaluate(outside) == []
    asked = {
        event["params"]["request"]["url"]
        for event in browser.events
        if event.get("method") == "Network.requestWillBeSent"
    }
    assert asked == {page.resolve().as_uri()}


@pytest.mark.parametrize("name", ["audit.html", "audit.json", "sweep.json", "attack.json"])
def test_folders_of_other_commands_are_refused_with_where_to_look(tmp_path, name) -> None:
    tmp_path.joinpath(name).write_text("{}", "utf-8")
    with pytest.raises(ScenarioError, match=r"here [a-z]+\.(html|json) is") as raised:
        report(tmp_path)
    assert raised.value.field == "run directory"
