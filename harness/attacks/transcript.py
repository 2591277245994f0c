"""What came of an attack, for people: a transcript, and a row of a Markdown table."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from harness.attacks.result import AttackResult, Outcome, StepRow

__all__ = ["markdown_table", "transcript"]

WIDTH = 80
_FIGURE = 16


def transcript(result: AttackResult, width: int = WIDTH) -> str:
    """Every step and the accounts, at most ``width`` columns wide where words allow it."""
    setting = "remedied" if result.remedied else "as it was"
    lines = [f"{result.attack.name}, {setting}", *textwrap.wrap(result.attack.title, width)]
    if result.attack.reported:
        lines += textwrap.wrap(f"reported: {result.attack.reported}", width)
    if result.remedied:
        lines += textwrap.wrap(f"remedy: {result.attack.remedy}", width)
    lines += ["", "block  step".ljust(width - _FIGURE) + "attackers so far".rjust(_FIGURE)]
    for step, count in _grouped(result.steps):
        times = f" ({count} times)" if count > 1 else ""
        what = textwrap.wrap(f"{step.actor}: {step.label}{times}", width - _FIGURE - 8)
        first = f"{step.block:5}  {what[0]}"
        lines.append(first.ljust(width - _FIGURE) + money(step.profit_usd).rjust(_FIGURE))
        lines += [f"       {rest}" for rest in what[1:]]
        if step.tokens:
            lines += _wrapped(_amounts(step.tokens, result.decimals), width)
        if step.reason is not None:
            lines += _wrapped(f"refused: {short_error(step.reason)}", width)
        for skipped in step.skipped:
            lines += _wrapped(f"skipped: {short_error(skipped)}", width)
    lines += ["", *_accounts(result, width)]
    return "\n".join(lines)


def markdown_table(pairs: Mapping[str, tuple[AttackResult, AttackResult]]) -> str:
    """Attack, outcome then, outcome remedied: a row each, from what the two plays found."""
    lines = ["| attack | then | remedied |", "|---|---|---|"]
    for name, (then, remedied) in pairs.items():
        reported = f" (reported: {then.attack.reported})" if then.attack.reported else ""
        lines.append(
            f"| `{name}`: {then.attack.title} | {headline(then)}{reported} "
            f"| {headline(remedied)}; stopped by {_guard(remedied)} |"
        )
    return "\n".join(lines)


def headline(result: AttackResult) -> str:
    """Profit, losses and insolvency in a few words."""
    parts = [f"profit {money(result.profit_usd)}"]
    loss = sum(result.losses_usd.values())
    insolvency = sum(result.insolvency_usd.values())
    if round(loss):
        parts.append(f"victims {'lose' if loss > 0 else 'gain'} {money(abs(loss))}")
    if round(insolvency):
        parts.append(f"insolvency {money(insolvency)}")
    if result.attack.reported:
        parts += [f"{label} {value}" for label, value in _measures(result)]
    return ", ".join(parts)


def _guard(result: AttackResult) -> str:
    """The guard's name: of an error without its arguments."""
    error = re.match(r"(\w+)\(", result.guard or "nothing")
    return error[1] if error else str(result.guard)


def _measures(result: AttackResult) -> Iterator[tuple[str, str]]:
    """The script's own figures and what they are called."""
    for name, value in result.measures.items():
        label = name.removesuffix("_usd").replace("_", " ")
        if name.endswith("price_usd"):
            yield label, f"${value:,.4f}"
        elif name.endswith("_usd"):
            yield label, money(value)
        else:
            yield label, f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.6g}"


def money(amount: float) -> str:
    """A USD amount without cents, or with them below ten dollars."""
    places = 2 if 0.005 <= abs(amount) < 10 else 0
    text = f"${abs(amount):,.{places}f}"
    return f"-{text}" if amount < 0 and text not in ("$0", "$0.00") else text


def short_error(reason: str, longest: int = 200) -> str:
    """A decoded error with addresses shortened; only its name where that is still too long."""
    text = re.sub(r"0x([0-9a-f]{6})[0-9a-f]{34,}", r"0x\1…", reason)
    return text if len(text) <= longest else text.partition("(")[0]


def _grouped(steps: Sequence[StepRow]) -> Iterator[tuple[StepRow, int]]:
    """Steps of the same kind in a row as one, with how many they are."""

    def kind(step: StepRow) -> tuple[str, str, str]:
        who = "" if step.role == "attacker" else step.actor
        return who, step.label, (step.reason or "").partition("(")[0]

    for _, group in groupby(steps, key=kind):
        rows = list(group)
        total: dict[str, int] = {}
        for row in rows:
            for symbol, amount in row.tokens.items():
                total[symbol] = total.get(symbol, 0) + amount
        skipped = tuple(dict.fromkeys(reason for row in rows for reason in row.skipped))
        yield replace(rows[-1], block=rows[0].block, tokens=total, skipped=skipped), len(rows)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=" " * 9, subsequent_indent=" " * 11)


def _amounts(tokens: Mapping[str, int], decimals: Mapping[str, int]) -> str:
    return ", ".join(
        f"{symbol} {amount / 10 ** decimals[symbol]:+,.6g}"
        if abs(amount) < 10 ** decimals[symbol]
        else f"{symbol} {amount / 10 ** decimals[symbol]:+,.2f}"
        for symbol, amount in tokens.items()
    )


def _accounts(result: AttackResult, width: int) -> Iterator[str]:
    yield from _pair("attackers' profit", result.profit_usd, width)
    if result.tokens:
        yield from _wrapped(_amounts(result.tokens, result.decimals), width)
    yield from _pair("  of their own tied up, at most", result.capital_usd, width)
    yield from _pair("  borrowed for one transaction, at most", result.flash_usd, width)
    yield from _pair("  fees paid", result.fees_usd, width)
    for name, loss in result.losses_usd.items():
        yield from _pair(f"loss of {name}", loss, width)
    for name, insolvency in result.insolvency_usd.items():
        yield from _pair(f"insolvency of {name}", insolvency, width)
    if round(result.revaluation_usd, 2):
        yield from _pair("all holdings, revalued", result.revaluation_usd, width)
    for label, text in _measures(result):
        yield label.ljust(width - _FIGURE) + text.rjust(_FIGURE)
    yield ""
    for note in result.notes:
        yield from textwrap.wrap(f"note: {note}", width)
    yield from textwrap.wrap(f"stopped by: {short_error(result.guard or 'nothing')}", width)
    goal = result.goal
    yield f"goal: {goal.check}: {'reached' if goal.holds else 'missed'}"
    for outcome in result.checks:
        yield _check(outcome)
    if not result.named_guard:
        yield f"check: stopped by {result.attack.stopped_by}: FAILED"
    broken = {name: problem for name, problem in result.books.items() if problem}
    for name, problem in broken.items():
        yield f"books: {name} does not hold: {problem}"
    if not broken:
        yield f"books hold: {', '.join(result.books)}"
    yield f"digest {result.digest}"


def _check(outcome: Outcome) -> str:
    verdict = "holds" if outcome.holds else f"FAILED, {money(outcome.found_usd)}"
    return f"check: {outcome.check}: {verdict}"


def _pair(label: str, amount: float, width: int) -> Iterator[str]:
    figure = money(amount)
    yield label + figure.rjust(max(len(figure) + 1, width - len(label)))
