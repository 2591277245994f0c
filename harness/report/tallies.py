"""Counts and sums over a run: what became of transactions, who took what, accounts by health."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from harness.metrics.summary import LIQUIDATING
from harness.report.data import Run, Sent, Taking
from harness.scenario import InventoryLiquidator, Liquidator, PerpLiquidator


class Outcome(NamedTuple):
    """What became of a group's transactions; ``longest`` wait in blocks of those included."""

    sent: int
    succeeded: int
    waited: int
    longest: int
    reverted: int
    expired: int
    pending: int


def outcomes(run: Run) -> dict[tuple[str, str], Outcome]:
    """By group of agents and action, in order of their names."""
    groups: dict[tuple[str, str], list[Sent]] = {}
    for sent in run.sent:
        groups.setdefault((run.group_of(sent.agent), sent.action), []).append(sent)
    return {key: _outcome(groups[key]) for key in sorted(groups)}


def _outcome(rows: Sequence[Sent]) -> Outcome:
    status = Counter(row.status for row in rows)
    included = [row.waited for row in rows if row.status in ("succeeded", "reverted")]
    return Outcome(
        sent=len(rows),
        succeeded=status["succeeded"],
        waited=sum(waited > 0 for waited in included),
        longest=max(included, default=0),
        reverted=status["reverted"],
        expired=status["expired"],
        pending=status["pending"],
    )


class Failure(NamedTuple):
    """Transactions of a group that came to the same."""

    group: str
    action: str
    status: str
    reason: str


def failures(run: Run) -> list[tuple[Failure, int, int]]:
    """What failed or never got in, by group, action, status and reason, the most frequent first:
    each with how often, and the block of the first."""
    number: Counter[Failure] = Counter()
    first: dict[Failure, int] = {}
    for sent in run.sent:
        if sent.status != "succeeded":
            key = Failure(
                run.group_of(sent.agent), sent.action, sent.status, reason_name(sent.reason)
            )
            number[key] += 1
            first[key] = min(first.get(key, sent.block), sent.block)
    ordered = sorted(number.items(), key=lambda entry: (-entry[1], entry[0]))
    return [(key, times, first[key]) for key, times in ordered]


def reason_name(reason: str) -> str:
    """A decoded Solidity error without its arguments; any other reason as it is."""
    match = re.match(r"([A-Za-z_]\w*)\(", reason)
    if match and match[1] not in ("Error", "Panic"):
        return match[1]
    return f"{reason[:10]}\u2026" if reason.startswith("0x") else reason


class Takings(NamedTuple):
    """What liquidators of a kind did: how many liquidations they began; USD, fees in tokens of the
    fee asset."""

    liquidations: int
    repaid: float
    seized: float
    profit: float
    fees: float


def takings(run: Run) -> dict[str, Takings]:
    """By kind of liquidator, whoever repaid most first; those that got nothing are there too, and
    all who tried: who starts auctions, bids and buys."""
    kinds = [
        agent.name
        for agent in run.scenario.agents
        if isinstance(agent, Liquidator | InventoryLiquidator | PerpLiquidator)
    ]
    kinds += [run.group_of(sent.agent) for sent in run.sent if sent.action in LIQUIDATING]
    groups: dict[str, list[Taking]] = {kind: [] for kind in kinds}
    for row in run.takings:
        groups.setdefault(run.group_of(row.who), []).append(row)
    fees: dict[str, float] = {}
    for sent in run.sent:
        group = run.group_of(sent.agent)
        fees[group] = fees.get(group, 0.0) + sent.fee
    found = {
        kind: Takings(
            liquidations=sum(row.began for row in rows),
            repaid=sum(row.repaid for row in rows),
            seized=sum(row.seized for row in rows),
            profit=sum(row.profit for row in rows),
            fees=fees.get(kind, 0.0),
        )
        for kind, rows in groups.items()
    }
    return dict(sorted(found.items(), key=lambda entry: -entry[1].repaid))


class Bin(NamedTuple):
    """Accounts with a health factor in a range, and their debt in USD, before and after."""

    name: str
    accounts_before: int
    accounts_after: int
    debt_before: float
    debt_after: float


_EDGES = (1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0)


def health_bins(run: Run) -> list[Bin]:
    """Accounts and their debt by health factor; the last ranges are those without debt, and those
    without a price."""
    names = [f"below {_EDGES[0]:g}"]
    names += [f"{low:g}\u2013{high:g}" for low, high in itertools.pairwise(_EDGES)]
    names += [f"{_EDGES[-1]:g} or more", "no debt", "no price"]
    counts = [[0, 0] for _ in names]
    debts = [[0.0, 0.0] for _ in names]
    for position in run.positions:
        states = (
            (position.health_before, position.debt_before),
            (position.health_after, position.debt_after),
        )
        for side, (health, debt) in enumerate(states):
            place = _bin(health, debt)
            counts[place][side] += 1
            debts[place][side] += debt
    bins = [
        Bin(name, *number, *debt) for name, number, debt in zip(names, counts, debts, strict=True)
    ]
    return bins[:-1] if not any(counts[-1]) else bins


def _bin(health: float | None, debt: float) -> int:
    if health is not None:
        return sum(health >= edge for edge in _EDGES)
    return len(_EDGES) + (2 if debt else 1)
