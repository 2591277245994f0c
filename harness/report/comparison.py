"""The page of a comparison: what each remedy changes, how surely, and who bears it instead."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness import __version__
from harness.errors import ScenarioError
from harness.experiments.compare import BASELINE
from harness.experiments.moved import BEARERS, Cells, direction, shifts
from harness.experiments.table import IF_ANY
from harness.metrics.outcome import FIGURES
from harness.report.charts import count_labels, legend, money_labels
from harness.report.figures import MINUS, plural, short
from harness.report.forest import Whisker, forest
from harness.report.frame import frame
from harness.report.layout import Section, chart_figure, key_figures
from harness.report.markup import Content, Markup, bullets, details, element, join, table
from harness.risk.intervals import Interval

__all__ = ["COMPARISON", "load_comparison", "render_comparison"]

#: The file in a folder of ``harness compare``.
COMPARISON = "comparison.json"

_LOWER, _HIGHER, _NEITHER = -1, 1, 0


class _Figure(NamedTuple):
    """How a figure is shown: its name, what it means, and whether lower or higher is better."""

    name: str
    meaning: str
    better: int


_SHOWN: Mapping[str, _Figure] = {
    "insolvency_usd": _Figure(
        "Insolvency",
        "bad debt written off, and what is owed beyond collateral at the end, at outside prices",
        _LOWER,
    ),
    "bad_debt_usd": _Figure(
        "Bad debt", "debt written off on chain once an account's collateral is gone", _LOWER
    ),
    "liquidated_usd": _Figure(
        "Liquidated", "debt repaid in liquidations, at the market's prices", _NEITHER
    ),
    "borrower_loss_usd": _Figure(
        "Borrowers' loss",
        "collateral seized from liquidated borrowers beyond the debt that was repaid for them",
        _LOWER,
    ),
    "liquidator_profit_usd": _Figure(
        "Liquidators' profit", "proceeds less repayments and fees", _NEITHER
    ),
    "supplier_loss_usd": _Figure(
        "Suppliers' loss", "the deficit that no reserves cover, at the last outside prices", _LOWER
    ),
    "amplification": _Figure(
        "Amplification",
        "liquidated value with the effect of forced trades on prices, and without",
        _LOWER,
    ),
    "borrowed_usd": _Figure("Borrowed at the start", "what a cap costs its users", _HIGHER),
    "capital_efficiency": _Figure(
        "Capital efficiency", "debts / (collateral x loan to value) at the start", _HIGHER
    ),
    "contagion_usd": _Figure(
        "Contagion between venues",
        "what links added to the insolvency of venues other than their own, net",
        _LOWER,
    ),
    "time_to_recover": _Figure(
        "Time to recover",
        "blocks until insolvency and utilisation are back near their level at the start",
        _LOWER,
    ),
    "winners_loss_usd": _Figure(
        "Winners' loss", "what deleveraging took from accounts that had won", _LOWER
    ),
    "largest_haircut": _Figure(
        "Largest haircut", "share of its profit that a winner lost to deleveraging, at most", _LOWER
    ),
    "vault_loss_usd": _Figure(
        "Vaults' loss", "what curated vaults lost in the markets they lend to", _LOWER
    ),
}

_BETTER, _WORSE, _OTHER, _UNSURE = "wave-2", "wave-1", "wave-0", "wave-4"


class Compared(NamedTuple):
    """A comparison as its file has it."""

    content: Mapping[str, Any]
    levels: Mapping[str, Cells]
    differences: Mapping[str, Cells]

    @property
    def figures(self) -> list[str]:
        """What was measured: contagion only where it was asked for, and what deleveraging took
        or vaults lost only where there was any."""
        left_out = set() if self.content.get("contagion") is not None else {"contagion_usd"}
        for figure in IF_ANY:
            levels = [cells[figure] for cells in self.levels.values()]
            if not any(level is not None and level.mean for level in levels):
                left_out.add(figure)
        return [figure for figure in FIGURES if figure not in left_out]

    @property
    def remedies(self) -> list[str]:
        """The remedies, as they were named."""
        return list(self.differences)


def load_comparison(folder: Path) -> Compared:
    """Reads the comparison in a folder.

    Raises ScenarioError if there is none that ``harness compare`` wrote.
    """
    path = folder / COMPARISON
    allowed = f"a {COMPARISON} that `harness compare` wrote"
    try:
        content = json.loads(path.read_text("utf-8"))
        missing = _missing(content)
        if missing:
            again = content.get("command") or "harness compare"
            allowed = (
                f"one with {missing}, which an older version did not write: run `{again}` again"
            )
            raise ScenarioError("comparison", str(path), allowed)
        found = _read(content)
    except OSError as error:
        raise ScenarioError("comparison", str(path), f"{allowed} ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScenarioError("comparison", str(path), f"{allowed} ({error!r})") from error
    return found


def _missing(content: dict[str, Any]) -> str:
    """The first figure that a comparison lacks in its levels; empty if it has all."""
    levels = content["levels"].values()
    return next((name for name in FIGURES if any(name not in cells for cells in levels)), "")


def _read(content: dict[str, Any]) -> Compared:
    """A comparison from its file's content; ValueError, KeyError or the like if it is not one."""
    levels, differences = (_cells(content[key]) for key in ("levels", "differences"))
    if content["schema"] != 1 or set(levels) != {BASELINE, *differences}:
        raise ValueError("it does not hold what it should")
    known = {"mitigation", "seed", "digest", "violated", "vacuous", *FIGURES}
    if not all(known <= set(trial) for trial in content["trials"]):
        raise ValueError("a trial lacks a figure")
    return Compared(content, levels, differences)


def _cells(table_: Mapping[str, Any]) -> dict[str, Cells]:
    return {
        name: {
            figure: None if cells[figure] is None else Interval(*cells[figure])
            for figure in FIGURES
        }
        for name, cells in table_.items()
    }


def render_comparison(compared: Compared) -> str:
    """The page; the same comparison gives the same page."""
    content = compared.content
    seeds = content["seeds"]
    span = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    return frame(
        f"{content['scenario']}: remedies compared",
        "comparison of remedies",
        f"{plural(len(compared.remedies), 'remedy', 'remedies')}, {span}, the same draws with and "
        "without",
        [
            _story(compared),
            _bearers(compared),
            *(_figure(compared, figure) for figure in compared.figures),
            *_contagion(compared),
            _trials(compared),
            _meaning(),
            _repeat(compared),
        ],
        skip="Skip to what the remedies do",
        footer=f"Written by harness {__version__} from {COMPARISON}. Every amount was read from "
        "contract state or events on the chain.",
    )


# --- words ------------------------------------------------------------------------------------


def _said(value: float, figure: str, *, signed: bool = False) -> str:
    """A figure with its unit."""
    if abs(value) < _least(figure):
        value = 0.0
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    if figure.endswith("_usd"):
        return f"{sign}{short(abs(value))}"
    if figure == "time_to_recover":
        return f"{sign}{abs(value):,.0f} blocks"
    return f"{sign}{abs(value):.3f}"


def _least(figure: str) -> float:
    """What is smaller is the rounding of prices or of a mean: it is said, and drawn, as 0."""
    return 0.0005 if not figure.endswith("_usd") and figure != "time_to_recover" else 0.0


def _drawn(change: Interval, figure: str) -> Interval:
    """A change as it is drawn."""

    def end(value: float) -> float:
        return value if abs(value) >= _least(figure) else 0.0

    mean, low, high = change
    return Interval(
        end(mean), None if low is None else end(low), None if high is None else end(high)
    )


def _compared(compared: Compared) -> str:
    """What a chart of changes shows."""
    changes = "Change against the market as it is"
    if len(compared.content["seeds"]) == 1:
        return f"{changes}, one seed"
    return f"{changes}, mean and 95% interval, paired by seed"


def _changed(change: Interval, figure: str) -> str:
    """A change with its interval."""
    text = _said(change.mean, figure, signed=True)
    if change.low is None or change.high is None:
        return f"{text}, one seed"
    low, high = (_said(bound, figure, signed=True) for bound in (change.low, change.high))
    return f"{text} [{low}, {high}]"


def _style(change: Interval, figure: str) -> str:
    sign = direction(_drawn(change, figure))
    better = _SHOWN[figure].better
    if not sign:
        return _UNSURE
    if better == _NEITHER:
        return _OTHER
    return _BETTER if sign == better else _WORSE


def _key(figures: Sequence[str]) -> Markup:
    entries = [("mark", _UNSURE, "cannot be told from no change")]
    if any(_SHOWN[figure].better for figure in figures):
        entries = [("mark", _BETTER, "better"), ("mark", _WORSE, "worse"), *entries]
    if any(not _SHOWN[figure].better for figure in figures):
        entries = [("mark", _OTHER, "changed"), *entries]
    return legend(entries)


# --- sections ---------------------------------------------------------------------------------


def _story(compared: Compared) -> Section:
    seeds = len(compared.content["seeds"])
    base = compared.levels[BASELINE]
    tiles: list[tuple[Content, Content, Content]] = []
    for figure in ("insolvency_usd", "borrower_loss_usd", "liquidated_usd", "borrowed_usd"):
        level = base[figure]
        main = "undefined" if level is None else _said(level.mean, figure)
        tiles.append((_SHOWN[figure].name, main, "as it is" if seeds == 1 else "as it is, mean"))
    sentences = [element("li", _sentence(compared, name)) for name in compared.remedies]
    parts: list[Content] = [_alarms(compared), key_figures(tiles)]
    if seeds == 1:
        note = "One seed is one path: it has no interval, and nothing here is told from chance."
        parts.append(element("p", note))
    parts.append(element("ol", *sentences, class_="story"))
    return Section("story", "What the remedies do", join(parts))


def _alarms(compared: Compared) -> Markup | None:
    """What must not be overlooked: losses that move, and runs that prove nothing."""
    said = [
        (
            f"{shift.remedy} moves losses. ",
            f"{shift.told.capitalize()}.",
        )
        for shift in shifts(compared.differences)
    ]
    for name in (BASELINE, *compared.remedies):
        trials = [each for each in compared.content["trials"] if each["mitigation"] == name]
        wrong = Counter(
            [
                *("an invariant was violated" for trial in trials if trial["violated"]),
                *(trial["vacuous"] for trial in trials if trial["vacuous"]),
            ]
        )
        for what, count in wrong.items():
            said.append((f"{name}: ", f"in {count} of {plural(len(trials), 'run')} {what}."))
    if not said:
        return None
    entries = (element("p", element("strong", head), text) for head, text in said)
    return element("div", *entries, class_="alarm")


def _sentence(compared: Compared, name: str) -> Markup:
    cells = compared.differences[name]
    parts: list[str] = []
    for figure in compared.figures:
        shown, change = _SHOWN[figure], cells[figure]
        if change is None or not direction(_drawn(change, figure)) or shown.better == _NEITHER:
            continue
        verb = "rises" if change.mean > 0 else "falls"
        parts.append(f"{shown.name.lower()} {verb} by {_said(abs(change.mean), figure)}")
    told = "; ".join(parts) or "nothing clearly gets better or worse"
    return join([element("strong", name), ": ", f"{told}."])


def _bearers(compared: Compared) -> Section:
    figures = (*BEARERS.values(), "liquidator_profit_usd")
    rows = [
        Whisker(
            _SHOWN[figure].name,
            change,
            _changed(change, figure),
            _style(change, figure),
            group="" if place else name,
        )
        for name in compared.remedies
        for place, figure in enumerate(figures)
        if (change := compared.differences[name][figure]) is not None
    ]
    text = (
        "What suppliers do not lose somebody else may: the changes of the three groups on one "
        "scale. Insolvency falls on suppliers sooner or later."
    )
    drawn = forest(
        "bearers-forest",
        "Changes of insolvency, borrowers' loss and liquidators' profit",
        "For each remedy, the mean change over the seeds with its 95% interval, in USD.",
        rows,
        labels=money_labels,
    )
    figure_ = chart_figure(_compared(compared), None, _key(figures), drawn)
    return Section("bearers", "Who bears the losses", join([element("p", text), figure_]))


def _figure(compared: Compared, figure: str) -> Section:
    shown = _SHOWN[figure]
    identity = figure.replace("_", "-")
    known = [
        (name, change)
        for name in compared.remedies
        if (change := compared.differences[name][figure]) is not None
    ]
    base = compared.levels[BASELINE][figure]
    level = "undefined for some seed" if base is None else _said(base.mean, figure)
    parts: list[Content] = [element("p", f"{shown.meaning.capitalize()}. As it is: {level}.")]
    if known:
        rows = [
            Whisker(
                name,
                _drawn(change, figure),
                _changed(change, figure),
                _style(change, figure),
            )
            for name, change in known
        ]
        drawn = forest(
            f"{identity}-forest",
            f"{shown.name}: changes",
            "For each remedy, the mean change over the seeds with its 95% interval.",
            rows,
            labels=money_labels if figure.endswith("_usd") else count_labels,
        )
        levels = _levels(compared, figure)
        parts.append(chart_figure(_compared(compared), None, _key([figure]), drawn, levels))
    else:
        parts.append(element("p", "No remedy has a change that is defined for every seed."))
        parts.append(_levels(compared, figure))
    return Section(identity, shown.name, join(parts))


def _levels(compared: Compared, figure: str) -> Markup:
    def cell(value: Interval | None, text: str) -> str:
        return "undefined" if value is None else text

    rows: list[Sequence[Content]] = []
    for name in (BASELINE, *compared.remedies):
        level = compared.levels[name][figure]
        change = compared.differences[name][figure] if name != BASELINE else None
        told = "" if name == BASELINE else cell(change, (change and _changed(change, figure)) or "")
        rows.append((name, cell(level, (level and _said(level.mean, figure)) or ""), told))
    head = ("Remedy", "Mean" if len(compared.content["seeds"]) > 1 else "Level", "Change")
    identity = f"{figure.replace('_', '-')}-table"
    return details("The figures as a table", table(identity, _SHOWN[figure].name, head, rows))


def _contagion(compared: Compared) -> list[Section]:
    """The contagion matrix of each remedy, where it was measured."""
    matrices = compared.content.get("contagion")
    if matrices is None:
        return []
    tables, one = [], len(compared.content["seeds"]) == 1
    for place, (name, matrix) in enumerate(matrices.items()):
        rows = [(i, *(_entry(*cell) for cell in cells.values())) for i, cells in matrix.items()]
        head = ("From \\ in", *matrix)
        caption = name if one else f"{name}, means"
        tables.append(table(f"contagion-{place}", caption, head, rows))
    text = "What the links of one venue add to the insolvency of another" + (
        "." if one else ": the mean over the seeds and, where they differ, its 95% interval."
    )
    return [Section("contagion", "Contagion, venue by venue", join([element("p", text), *tables]))]


def _entry(mean: float, low: float | None, high: float | None) -> Content:
    """An entry of the matrix, and below it its interval, if there is one and it has a width."""
    told = _said(mean, "contagion_usd")
    if low is None or high is None or low == high:
        return told
    ends = f"[{_said(low, 'contagion_usd')},", f"{_said(high, 'contagion_usd')}]"
    interval = join((element("span", end) for end in ends), " ")
    return join([told, element("br"), element("span", interval, class_="wraps")])


def _trials(compared: Compared) -> Section:
    trials = compared.content["trials"]
    wrong = [
        f"{trial['mitigation']}, seed {trial['seed']}: "
        + (f"violates {', '.join(trial['violated'])}" if trial["violated"] else trial["vacuous"])
        for trial in trials
        if trial["violated"] or trial["vacuous"]
    ]
    rows = [
        (
            trial["mitigation"],
            str(trial["seed"]),
            _said(trial["insolvency_usd"], "insolvency_usd"),
            _said(trial["borrower_loss_usd"], "borrower_loss_usd"),
            _said(trial["liquidated_usd"], "liquidated_usd"),
            element("code", trial["digest"]),
        )
        for trial in trials
    ]
    head = ("Remedy", "Seed", "Insolvency", "Borrowers' loss", "Liquidated", "Digest")
    listed = table("trials-table", "Every run", head, rows, text_columns=(0, 5))
    checks = bullets(wrong, "Every run kept its invariants, and in every run something happened.")
    return Section("trials", "The runs", join([checks, details("Every run as a table", listed)]))


def _meaning() -> Section:
    words = [
        (
            "paired",
            "the runs of one seed have their prices, borrowers and luck in common, with and "
            "without a remedy, and the change is taken seed by seed",
        ),
        ("interval", "the 95% percentile bootstrap interval of the mean change over the seeds"),
        *((shown.name, shown.meaning) for shown in _SHOWN.values()),
    ]
    entries = join(join([element("dt", word), element("dd", text)]) for word, text in words)
    return Section("words", "What the words mean", element("dl", entries, class_="words"))


def _repeat(compared: Compared) -> Section:
    command = compared.content.get("command")
    text = element("pre", str(command)) if command else element("p", "The command is not recorded.")
    return Section("repeat", "How to repeat it", text)
