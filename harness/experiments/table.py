"""A comparison as text, as wide as the terminal, at most 80 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from harness.experiments.compare import BASELINE, Comparison
from harness.experiments.moved import shifts
from harness.risk.intervals import Interval
from harness.terminal import WIDTH

LABELS = {
    "insolvency_usd": "insolvency, $",
    "bad_debt_usd": "bad debt, $",
    "liquidated_usd": "debt repaid in liquidations, $",
    "borrower_loss_usd": "borrowers' loss, $",
    "liquidator_profit_usd": "liquidators' profit, $",
    "supplier_loss_usd": "suppliers' loss, $",
    "amplification": "amplification",
    "borrowed_usd": "borrowed at the start, $",
    "capital_efficiency": "capital efficiency",
    "time_to_recover": "blocks until recovered",
    "contagion_usd": "contagion between venues, $",
    "winners_loss_usd": "winners' loss to deleveraging, $",
    "largest_haircut": "largest haircut of a winner",
    "vault_loss_usd": "vaults' loss in their markets, $",
}

#: Figures left out where nothing has them: nothing is lent, no run recovers in time, no
#: exchange was deleveraged, no vault lost anything.
IF_ANY = (
    "borrowed_usd",
    "capital_efficiency",
    "time_to_recover",
    "winners_loss_usd",
    "largest_haircut",
    "vault_loss_usd",
)


#: Columns of a remedy's name, and of what stands beside it.
_SHORTEST, _LONGEST, _FIGURES = 12, 28, 44


def number(value: float, figure: str, *, sign: bool = False) -> str:
    """A figure with as many digits as it is good for; USD in thousands or millions if large."""
    plus = "+" if sign else ""
    unit = ""
    if figure.endswith("_usd"):
        digits = 0
        for name, size in (("M", 1e6), ("k", 1e4)):
            if abs(value) >= size:
                value, unit = value / (1e6 if name == "M" else 1e3), name
                digits = 3 if name == "M" else 1
                break
    else:
        digits = 0 if figure == "time_to_recover" else 3
    return f"{round(value, digits) + 0.0:{plus},.{digits}f}{unit}"


def comparison_table(comparison: Comparison, width: int = WIDTH) -> str:
    """One block for each figure: its level, and its change against the baseline."""
    count = len(comparison.seeds)
    head = f"{comparison.scenario}: means over {count} seeds; change with its 95% interval, paired"
    if count == 1:
        head = f"{comparison.scenario}: one seed, so that no change has an interval"
    lines = textwrap.wrap(head, width)
    room = max(_SHORTEST, min(_LONGEST, width - _FIGURES))
    for figure, label in LABELS.items():
        if figure == "contagion_usd" and comparison.contagion is None:
            continue
        levels = [comparison.levels[name][figure] for name in comparison.names]
        if figure in IF_ANY and not any(level is not None and level.mean for level in levels):
            continue
        lines += ["", label]
        for name in comparison.names:
            level = comparison.levels[name][figure]
            shown = "undefined" if level is None else number(level.mean, figure)
            row = f"  {_short(name, room):<{room}}{shown:>12}"
            if name != BASELINE:
                row += f"  {_change(comparison.differences[name][figure], figure)}"
            lines.append(row.rstrip())
    lines.append("")
    for remark in _remarks(comparison):
        lines += textwrap.wrap(remark, width, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"


def _change(change: Interval | None, figure: str) -> str:
    if change is None:
        return ""
    text = number(change.mean, figure, sign=True)
    if change.low is None or change.high is None:
        return text
    low, high = number(change.low, figure), number(change.high, figure)
    return f"{text} [{low}, {high}]"


def _remarks(comparison: Comparison) -> Iterator[str]:
    """Losses moved rather than avoided, and what was wrong with a trial."""
    for shift in shifts(comparison.differences):
        yield f"{shift.remedy} moves losses: {shift.told}"
    for trial in comparison.trials:
        if trial.failed:
            yield f"{trial.name}, seed {trial.seed}: violates {', '.join(trial.failed)}"
    empty = Counter((trial.name, trial.vacuous) for trial in comparison.trials if trial.vacuous)
    for (name, reason), count in empty.items():
        yield f"{name}: {count} of {len(comparison.seeds)} runs prove nothing (vacuous): {reason}"
