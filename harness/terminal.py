"""What a person sees at the terminal: the summary table, progress, and nothing when piped."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, TextIO

from harness.metrics.summary import twin_figures
from harness.run import Progress, RunResult

WIDTH = 80


def colours(stream: TextIO) -> bool:
    """Whether to colour: a terminal, and NO_COLOR (https://no-color.org) is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def progress_bar(stream: TextIO) -> Progress | None:
    """A progress line with the time left, on a terminal only."""
    if not stream.isatty():
        return None
    began = time.monotonic()
    shown = 0.0

    def report(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if done < total and now - shown < 0.1:
            return
        shown = now
        left = (now - began) * (total - done) / done
        filled = 30 * done // total
        bar = "#" * filled + "." * (30 - filled)
        stream.write(f"\r[{bar}] block {done} of {total}, {left:.0f} s left ")
        if done == total:
            stream.write("\r" + " " * (WIDTH - 1) + "\r")
        stream.flush()

    return report


def money(amount: float) -> str:
    """A USD amount without cents."""
    return f"${amount:,.0f}"


def summary_table(result: RunResult, *, colour: bool) -> str:
    """The figures of a run beside those of its twin, at most 80 columns wide."""
    summary: Mapping[str, Any] = result.summary
    without = twin_figures(result.twin, result.world)
    liquidated, solvency = summary["liquidations"], summary["solvency"]
    head = f"{summary['scenario']}  seed {summary['seed']}  {summary['engine']}"
    lines = [
        f"{head}  {summary['blocks']} blocks  {summary['elapsed_s']:.1f} s",
        "",
        _row("", "with feedback", "without"),
    ]
    for symbol, price in summary["prices"].items():
        lines.append(_row(f"{symbol} low", _price(price["low"]), _price(price["exogenous_low"])))
    lines += [
        _row("liquidations", f"{liquidated['count']:,}", f"{without.liquidations:,}"),
        _row("debt repaid", money(liquidated["repaid_usd"]), money(without.repaid_usd)),
        _row("bad debt", money(solvency["bad_debt_usd"]), money(without.bad_debt_usd)),
        _row(
            "market shortfall at the end",
            money(solvency["shortfall_market_usd"]),
            money(without.shortfall_market_usd),
        ),
        _row("insolvency", money(solvency["insolvency_usd"]), money(without.insolvency_usd)),
    ]
    for name, venue in solvency["by_venue"].items():
        lines.append(_row(f"  {name}: reserves carry", money(venue["carried_by_reserves_usd"])))
        lines.append(_row(f"  {name}: suppliers carry", money(venue["carried_by_suppliers_usd"])))
    lines.append(_row("liquidators' profit", money(liquidated["liquidator_profit_usd"])))
    lines += ["", *_cascade(summary), *_participation(summary), "", *_verdict(summary, colour)]
    return "\n".join(lines)


def _row(label: str, *values: str) -> str:
    return (f"{label:<32}" + "".join(f"{value:>20}" for value in values)).rstrip()


def _price(value: float) -> str:
    return f"{value:,.2f}" if value >= 10 else f"{value:,.4f}"


def _cascade(summary: Mapping[str, Any]) -> list[str]:
    cascade = summary["cascade"]
    lines = [
        _row(
            f"wave {wave['wave']}",
            f"{wave['count']:,}",
            money(wave["repaid_usd"]),
        )
        for wave in cascade["waves"]
    ]
    for name in ("amplification", "branching_ratio"):
        if cascade[name] is not None:
            lines.append(_row(name.replace("_", " "), f"{cascade[name]:.3f}"))
    return lines


def _participation(summary: Mapping[str, Any]) -> list[str]:
    calls, sent = summary["margin_calls"], summary["transactions"]
    return [
        f"margin calls: {calls['count']} ({calls['met']} met, {calls['reduced']} reduced, "
        f"{calls['ignored']} ignored)",
        f"transactions: {sent['sent']} sent, {sent['succeeded']} succeeded, "
        f"{sent['reverted']} reverted, {sent['expired']} expired",
    ]


def _verdict(summary: Mapping[str, Any], colour: bool) -> list[str]:
    checks = summary["checks"]["invariants"]
    failed = [name for name, holds in checks.items() if not holds]
    good, bad, plain = ("\033[32m", "\033[31m", "\033[0m") if colour else ("", "", "")
    if failed:
        verdict = f"{bad}invariants violated: {', '.join(failed)}{plain}"
    else:
        verdict = f"{good}invariants hold: {', '.join(checks)}{plain}"
    lines = [f"{bad}warning: {text}{plain}" for text in summary["warnings"]]
    return [*lines, verdict, f"digest {summary['digest']}"]
