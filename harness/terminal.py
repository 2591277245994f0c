"""What a person sees at the terminal: the summary table, progress, and nothing when piped."""

from __future__ import annotations

import os
import shutil
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from harness.metrics.summary import twin_figures
from harness.metrics.suppliers import by_kind
from harness.run import RunResult
from harness.scenario import BPS

WIDTH = 80
NARROWEST = 48
_LONGEST_NAME = 24
_MOST_WAVES = 10
_MOST_ENTRIES = 12


def colours(stream: TextIO) -> bool:
    """Whether to colour: a terminal, and NO_COLOR (https://no-color.org) is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def columns() -> int:
    """The width to write for: the terminal's, within what the tables can take."""
    return max(NARROWEST, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


class ProgressBar:
    """A line on a terminal with the share done and the time left; redrawn ten times a second."""

    def __init__(self, stream: TextIO, width: int = WIDTH) -> None:
        self._stream = stream
        self._steps = 0
        self._bar = min(30, width - 28)
        self._began = time.monotonic()
        self._drawn = 0.0
        self._length = 0

    def __call__(self, done: int, total: int) -> None:
        """Shows that ``done`` of ``total`` are done, one more of them since the last call; what
        was done before the first says nothing of the time that is left."""
        self._steps += 1
        now = time.monotonic()
        if now - self._drawn < 0.1:
            return
        self._drawn = now
        left = (now - self._began) * (total - done) / self._steps
        filled = self._bar * done // total
        bar = "#" * filled + "." * (self._bar - filled)
        self._write(f"[{bar}] {100 * done // total:3}%, {_duration(left)} left")

    def clear(self) -> None:
        """Takes the line away."""
        if self._length:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()

    def _write(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._length))
        self._stream.flush()
        self._length = len(text)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def money(amount: float) -> str:
    """A USD amount without cents."""
    whole = f"{abs(amount):,.0f}"
    return f"-${whole}" if amount < 0 and whole != "0" else f"${whole}"


def price(value: float) -> str:
    """A USD price with five significant digits or a little more."""
    if value >= 10:
        return f"{value:,.{2 if value < 1000 else 1 if value < 10_000 else 0}f}"
    return f"{value:#.5g}" if value >= 0.001 else f"{value:.4g}"


def summary_table(result: RunResult, *, colour: bool, width: int = WIDTH) -> str:
    """The figures of a run beside those of its twin, at most ``width`` columns wide."""
    summary: Mapping[str, Any] = result.summary
    lines = [
        f"{_short(summary['scenario'], width - 30)}, seed {summary['seed']}",
        *textwrap.wrap(result.scenario.title, width),
        f"{summary['blocks']} blocks on {summary['engine']} in {summary['elapsed_s']:.1f} s",
        "",
        *_figures(result, width),
        "",
        *_cascade(summary, width),
        *_waterfall(summary, width),
        *_contagion(summary, width),
        *_runs(summary, width),
        *_vaults(summary, width),
        *_participation(summary, width),
        "",
        *_verdict(summary, colour, width),
    ]
    return "\n".join(lines)


def _row(width: int, label: str, *values: str) -> str:
    """A label and right-aligned values; a long label takes room from the first value's column,
    and has a line of its own where there is no room left."""
    text = label
    column = min(23, width // 3)
    for place, value in enumerate(values):
        edge = width - column * (1 - place)
        text = f"{text} {value:>{max(0, edge - len(text) - 1)}}"
    text = text.rstrip()
    if label and len(text) > width:
        return f"{label}\n{_row(width, '', *values)}"
    return text


def _short(name: str, longest: int = _LONGEST_NAME) -> str:
    return name if len(name) <= longest else name[: longest - 3] + "..."


def _figures(result: RunResult, width: int) -> Iterator[str]:
    summary: Mapping[str, Any] = result.summary
    without = twin_figures(result.twin, result.world)
    liquidated, solvency = summary["liquidations"], summary["solvency"]
    yield _row(width, "", "with feedback", "without")
    for symbol, path in summary["prices"].items():
        yield _row(
            width,
            f"{symbol}, low - high",
            f"{price(path['low'])} - {price(path['high'])}",
            f"{price(path['exogenous_low'])} - {price(path['exogenous_high'])}",
        )
    yield _row(width, "liquidations", f"{liquidated['count']:,}", f"{without.liquidations:,}")
    pairs = (
        (_repaid(summary, "debt they repaid"), liquidated["repaid_usd"], without.repaid_usd),
        ("insolvency", solvency["insolvency_usd"], without.insolvency_usd),
        ("  bad debt written off", solvency["bad_debt_usd"], without.bad_debt_usd),
        (
            "  shortfall at the end",
            solvency["shortfall_market_usd"],
            without.shortfall_market_usd,
        ),
    )
    for label, with_feedback, without_feedback in pairs:
        yield _row(width, label, money(with_feedback), money(without_feedback))
    by_venue = {name: each["insolvency_usd"] for name, each in solvency["by_venue"].items()}
    if len(by_venue) > 1:
        for name, amount in by_venue.items():
            if amount or without.by_venue[name]:
                shown = money(amount), money(without.by_venue[name])
                yield _row(width, f"  of it in {_short(name)}", *shown)
    for name, venue in solvency["by_venue"].items():
        if "insurance_fund_usd" in venue:
            yield from _exchange(summary["exchanges"][name], name, width)
        elif venue["deficit_usd"]:
            deficit = money(venue["deficit_usd"])
            yield _row(width, f"deficit of {_short(name)}, last prices", deficit)
            yield _row(width, "  its reserves cover", money(venue["carried_by_reserves_usd"]))
            yield _row(width, "  its suppliers bear", money(venue["carried_by_suppliers_usd"]))
        for key, label in (
            ("carried_by_depositors_usd", "depositors of {} lost (-: gained)"),
            ("carried_by_borrowers_usd", "  spread over its borrowers (-: gained)"),
        ):
            if key in venue:
                yield _row(width, label.format(_short(name)), money(venue[key]))
    yield _row(width, "liquidators' profit", money(liquidated["liquidator_profit_usd"]))
    if liquidated["count"]:
        yield from _wrapped("without: forced sales filled at the current price, moving none", width)


def _repaid(summary: Mapping[str, Any], debt: str) -> str:
    """What liquidations settle: debt on a lending market, notional on an exchange."""
    venues = summary["solvency"]["by_venue"].values()
    exchanges = sum("insurance_fund_usd" in venue for venue in venues)
    if not exchanges:
        return debt
    return "notional closed" if exchanges == len(venues) else "repaid / closed"


def _exchange(figures: Mapping[str, Any], name: str, width: int) -> Iterator[str]:
    """Who paid what accounts of an exchange could not."""
    fund, losses = figures["insurance_fund"], figures["losses_usd"]
    path = f"{money(fund['start_usd'])} - {money(fund['end_usd'])}"
    yield _row(width, f"insurance of {_short(name)}, start - end", path)
    for label, key in (
        ("  losses it paid", "insurance"),
        ("  losses its vault paid", "vault"),
        ("  losses nobody has paid", "deficit"),
    ):
        if losses[key]:
            yield _row(width, label, money(losses[key]))


def _cascade(summary: Mapping[str, Any], width: int) -> Iterator[str]:
    cascade = summary["cascade"]
    if not cascade["waves"]:
        return
    yield _row(width, "", "liquidations", _repaid(summary, "debt repaid"))
    shown = _MOST_WAVES if len(cascade["waves"]) <= _MOST_WAVES else _MOST_WAVES - 1
    for entry in cascade["waves"][:shown]:
        wave = entry["wave"]
        cause = "outside prices" if wave == 0 else f"sales of wave {wave - 1}"
        yield _wave(width, f"wave {wave}, from {cause}", [entry])
    later = cascade["waves"][shown:]
    if later:
        yield _wave(width, f"waves {later[0]['wave']} to {later[-1]['wave']}", later)
    for label, name in (
        ("amplification (with / without)", "amplification"),
        ("branching ratio (wave 1 / 0)", "branching_ratio"),
    ):
        if cascade[name] is not None:
            yield _row(width, label, "", f"{cascade[name]:.3f}")
    yield ""


def _wave(width: int, label: str, entries: Sequence[Mapping[str, Any]]) -> str:
    count = sum(entry["count"] for entry in entries)
    repaid = sum(entry["repaid_usd"] for entry in entries)
    return _row(width, label, f"{count:,}", money(repaid))


#: the steps of a default waterfall as they are called here, in their order
_STEPS = {
    "margin": "its margin elsewhere",
    "insurance": "the insurance fund",
    "own_share": "its own contribution",
    "stake": "the house's stake",
    "default_fund": "the other members' contributions",
    "assessment": "assessments of members",
    "deleveraging": "winners, by deleveraging",
    "winners": "all winners, in proportion",
    "vault": "the vault's holders",
    "unpaid": "nobody yet",
}


def _waterfall(summary: Mapping[str, Any], width: int) -> Iterator[str]:
    """Who paid what defaulters could not, in the order in which they had to."""
    for name, found in (summary.get("waterfall") or {}).items():
        if not found["reported"]:
            continue
        head = f"{found['reported']} defaults on {_short(name)} in {found['rounds']} rounds"
        yield _row(width, head, "", "paid")
        for step, label in _STEPS.items():
            paid = found["loss_by_step_usd"][step]
            if paid:
                yield _row(width, f"  {label}", "", money(paid))
        winners, time_ = found["winners"], found["time_to_close"]
        told = f"{winners['paid']:,} winners of {winners['in_line']:,} in line paid"
        if winners["largest_haircut"] is not None:
            told += f", at most {winners['largest_haircut']:.0%} of a profit"
            if found["severity"]["most_bps"] < BPS:
                share = found["severity"]["most_bps"] / 100
                told += f" and {share:g}% of what funds left unpaid"
        if time_["median_blocks"] is not None:
            told += f"; default to closure {time_['median_blocks']} blocks, at most "
            told += f"{time_['longest_blocks']}"
        yield from _wrapped(told, width)
        yield ""


def _contagion(summary: Mapping[str, Any], width: int) -> Iterator[str]:
    """What the links of each venue did to the insolvency of each, the largest first, where it was
    asked for."""
    found = summary["contagion"]
    if found is None:
        return
    entries = [
        (source, target, amount)
        for source, row in found["matrix"].items()
        for target, amount in row.items()
        if amount
    ]
    entries.sort(key=lambda entry: -abs(entry[2]))
    yield _row(width, "contagion: by whose links, insolvency of whom", "", "change")
    for source, target, amount in entries[:_MOST_ENTRIES]:
        whom = "itself" if source == target else _short(target)
        yield _row(width, f"  {_short(source)} on {whom}", "", _signed(amount))
    rest = entries[_MOST_ENTRIES:]
    if rest:
        others = sum(amount for _, _, amount in rest)
        yield _row(width, f"  {len(rest)} smaller entries", "", _signed(others))
    yield _row(width, "  interaction of links", "", _signed(sum(found["interaction"].values())))
    total = sum(found["total"].values())
    yield _row(width, "  all links together", "", _signed(total))
    by_channel = _by_channel(found["links"])
    if by_channel:
        told = ", ".join(f"{name} {_signed(amount)}" for name, amount in by_channel.items())
        yield from _wrapped(f"entries by channel: {told}", width)
    foretold = {
        name: measure["rank_correlation"]
        for name, measure in (found.get("predicted") or {}).items()
        if measure["rank_correlation"] is not None
    }
    if foretold:
        told = ", ".join(f"{n.replace('_', ' ')} {v:.2f}" for n, v in foretold.items())
        yield from _wrapped(f"rank correlation with what positions foretold: {told}", width)
    yield ""


def _by_channel(links: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What the links of each channel did to all venues together, where that is not nothing."""
    sums: dict[str, float] = {}
    for link, row in links.items():
        channel = link.rpartition("/")[2]
        sums[channel] = sums.get(channel, 0.0) + sum(row.values())
    return {channel: amount for channel, amount in sums.items() if _signed(amount) != "$0"}


def _signed(amount: float) -> str:
    shown = money(amount)
    return shown if shown.startswith("-") or shown == "$0" else f"+{shown}"


def _runs(summary: Mapping[str, Any], width: int) -> Iterator[str]:
    """Who got out of each market, and who was left, in groups of one name."""
    for venue, assets in (summary["suppliers"] or {}).items():
        for asset, table in assets.items():
            yield _row(width, f"suppliers of {_short(venue)}, {asset}", "paid out", "loss")
            for name, rows in by_kind(table["rows"]).items():
                supplied = sum(int(row["supplied"]) for row in rows)
                paid = sum(int(row["withdrawn"]) for row in rows)
                left = sum(int(row["left"]) > 0 for row in rows)
                who = f"  {_short(name)}: {len(rows) - left} out, {left} left"
                share = f"{paid / supplied:.0%}" if supplied else ""
                yield _row(width, who, share, money(sum(row["loss_usd"] for row in rows)))
            yield ""


def _vaults(summary: Mapping[str, Any], width: int) -> Iterator[str]:
    """What a share of each vault is worth, what its markets lost of it, and who stayed with it."""
    for name, found in (summary["vaults"] or {}).items():
        price = found["price_usd"]
        yield _row(width, f"vault {_short(name)}", "at first", "at the end")
        share = f"  worth of a {found['share']}"
        yield _row(width, share, f"${price['start']:.4f}", f"${price['end']:.4f}")
        paid_out = ("  could be paid out", "", money(found["liquidity_usd"]))
        yield _row(width, *paid_out)
        for market, lost in found["lost_usd"].items():
            if lost:
                yield _row(width, f"  lost in {_short(market)}", "", money(lost))
            beyond = summary["solvency"]["by_venue"][market]["shortfall_market_usd"]
            if beyond:  # which no share's worth shows yet
                owed = f"  debt beyond collateral in {_short(market)}"
                yield _row(width, owed, "", money(beyond))
        pool = found["pool"]
        if pool is not None:
            price = pool["price_usd"]
            quoted = f"  price of one in {_short(pool['name'])}"
            yield _row(width, quoted, f"${price['start']:.4f}", f"${price['end']:.4f}")
            most = f"{pool['discount_bps']['most'] / 100:.1f}%"
            yield _row(width, "  most below what one is worth", "", most)
            for market, usd in pool["shortfall_usd"].items():
                yield _row(width, f"  shortfall of {_short(market)} at that price", "", money(usd))
        yield ""


def _participation(summary: Mapping[str, Any], width: int) -> list[str]:
    calls, sent = summary["margin_calls"], summary["transactions"]
    return [
        *_wrapped(
            f"margin calls: {calls['count']:,} ({calls['met']:,} met, {calls['reduced']:,} "
            f"reduced, {calls['ignored']:,} ignored)",
            width,
        ),
        *_wrapped(
            f"transactions: {sent['sent']:,} sent, {sent['succeeded']:,} succeeded, "
            f"{sent['reverted']:,} reverted, {sent['expired']:,} expired",
            width,
        ),
    ]


def _verdict(summary: Mapping[str, Any], colour: bool, width: int) -> Iterator[str]:
    checks = summary["checks"]["invariants"]
    failed = sorted(name for name, holds in checks.items() if not holds)
    good, bad, plain = ("\033[32m", "\033[31m", "\033[0m") if colour else ("", "", "")
    for text in summary["warnings"]:
        for line in _wrapped(f"warning: {text}", width):
            yield f"{bad}{line}{plain}"
    tint = bad if failed else good
    named = ", ".join(failed or sorted(checks))
    for line in _wrapped(f"invariants {'violated' if failed else 'hold'}: {named}", width):
        yield f"{tint}{line}{plain}"
    yield f"digest {summary['digest']}"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
