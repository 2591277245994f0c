"""The invariants hold on the real contracts, and each catches the contract with its bug planted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from harness.accounts import account
from harness.errors import InvariantViolation, Reverted
from harness.testing.clearing_invariants import (
    CLEARING_INVARIANTS,
    FUNDED_STEPS,
    wrong_clearing_fund,
    wrong_end_of_round,
    wrong_haircut,
    wrong_line,
    wrong_loss_by_step,
    wrong_order_of_steps,
    wrong_pro_rata,
    wrong_severity,
)
from harness.testing.invariants import enforce

MUTANTS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("CLR-1", {"house": "ClearingSkipsInsurance"}, ["hyperliquid"]),
    ("CLR-2", {"house": "ClearingOvercharges"}, ["bankruptcy"]),
    ("CLR-3", {"house": "ClearingSparesVault"}, ["bitmex"]),
    ("CLR-4", {"pro_rata": "ProRataByPlace"}, ["profit"]),
    ("CLR-5", {"house": "ClearingForgivesOne"}, ["notional"]),
    ("CLR-6", {"fund": "FundKeepsStake"}, ["hyperliquid"]),
    ("CLR-7", {"house": "ClearingTakesAnyOrder"}, ["hyperliquid"]),
    ("CLR-8", {"house": "BudgetedAsksForAll", "severity_bps": 4_000}, ["bitmex"]),
]


def spent(world: Any, member: bytes) -> dict[str, int]:
    """What each funded step has for a loss of this member, read beforehand."""
    rig, venue, read = world.rig, world.venue, world.chain.read
    joined = read(rig.fund, "memberOf", member)[6]
    share = read(rig.fund, "shareOf", member)
    margin = read(rig.fund, "memberOf", member)[0]
    for other in rig.venues if joined else ():
        margin += read(rig.fund, "spare", other.exchange.address, member)
    insurance = venue.word("insurance")
    equity, _, _, _, _, maintenance = read(venue.exchange, "valuation", insurance)
    assessable = 0
    for other in read(rig.fund, "members"):
        if other != member:
            wallet = world.chain.balance(rig.usd, other)
            assessable += min(wallet, read(rig.fund, "assessable", other))
    return {
        "margin": margin,
        "insurance": max(0, min(venue.cash(insurance), equity - maintenance)),
        "own_share": share,
        "stake": read(rig.fund, "stake"),
        "default_fund": read(rig.fund, "pool") - share,
        "assessment": assessable,
    }


def problems(
    world: Any, rng: random.Random, seen: Counter[str]
) -> Iterator[tuple[str, str | None]]:
    """One crash, dealt with report by report: what is wrong with it, by invariant."""
    rig, venue, read = world.rig, world.venue, world.chain.read
    world.crash()
    world.configure()
    world.money()
    words = [*world.words, venue.word("insurance")]
    while True:
        pending, reports = read(rig.house, "reportsOf", venue.exchange.address, 1)
        if not pending:
            return
        defaulter = bytes(reports[0][0])
        owner = defaulter[:20]
        available = spent(world, owner)
        rig.receipts.clear()
        venue.house("open", 1)
        (taken,) = rig.events("LossTaken")
        paid = {step: amount for step, _, amount in rig.payments() if step in FUNDED_STEPS}
        yield "CLR-1", wrong_order_of_steps(loss=taken["loss"], available=available, paid=paid)

        profits = {word: venue.profit(word) for word in words}
        while venue.round()["stage"]:
            yield from stage_problems(world, rng, words, profits, seen)

        (closed,) = rig.events("RoundClosed")
        at_price = world.policy[0] == "BankruptcyPrice"
        into_deficit = [
            amount
            for step, _, amount in rig.payments()
            if not (at_price and step == "deleveraging")
        ]
        out = rig.events("ClosedOut")
        deleveraged = [amount for step, _, amount in rig.payments() if step == "deleveraging"]
        yield (
            "CLR-8",
            wrong_severity(
                unpaid=[taken["unpaid"]],
                severity_bps=world.severity_bps,
                paid=sum(deleveraged),
                closings=len(deleveraged) * len(venue.markets) if at_price else 0,
            ),
        )
        yield (
            "CLR-5",
            wrong_loss_by_step(
                losses=taken["loss"],
                residuals=sum(e["residual"] for e in out),
                paid=into_deficit,
                by_price=taken["unpaid"] * world.severity_bps // 10_000 if at_price and out else 0,
                unpaid=closed["unpaid"],
            ),
        )
        yield (
            "CLR-3",
            wrong_end_of_round(
                [(venue.in_default(defaulter), venue.equity(defaulter))],
                unpaid=closed["unpaid"],
                vault_equity=venue.read("vaultEquity"),
            ),
        )
        yield "CLR-6", wrong_clearing_fund(**rig.funds())
        seen["rounds"] += 1


def stage_problems(
    world: Any,
    rng: random.Random,
    words: list[bytes],
    profits: dict[bytes, int],
    seen: Counter[str],
) -> Iterator[tuple[str, str | None]]:
    """One stage of the round in progress."""
    rig, venue = world.rig, world.venue
    stage, winners = venue.round()["stage"], venue.round()["winners"]
    since = len(rig.receipts)
    if stage == 1:
        line, places = venue.line(words), venue.places(words)
        world.places = {word: places[word] for word in line if places[word][0]}
        if rng.random() < 0.5:  # somebody tries to put the last first
            try:
                venue.house("list", line[::-1])
            except Reverted:
                seen["refused"] += 1
        if venue.round()["stage"] == 1:
            venue.house("list", line)
        listed = [(e["rank"], e["account"]) for e in rig.events("Listed", since)]
        yield "CLR-7", wrong_line(listed, world.places)
    elif stage == 2:
        venue.house("deleverage", 64)
        done = rig.events("Deleveraged", since)
        for event in done:
            seen["winners who paid"] += bool(event["paid"])
            profit = profits[event["account"]]
            yield "CLR-2", wrong_haircut(paid=event["paid"], profit=profit)
            profits[event["account"]] -= event["paid"]
        if winners or world.policy[0] == "ProRata":
            rows = [(*world.places[e["account"]][1:4:2], e["due"]) for e in done]
            seen["equals"] += len(rows) - len({row[:2] for row in rows})
            yield "CLR-4", wrong_pro_rata(rows)
    else:
        venue.house("finish", 64)


def run(
    make_world: Any, rng: random.Random, crashes: int, **options: Any
) -> tuple[dict[str, str], Counter[str]]:
    """The first problems found, and what happened."""
    seen: Counter[str] = Counter()
    for _ in range(crashes):
        world = make_world(rng, twins=True, **options)
        found = {i: problem for i, problem in problems(world, rng, seen) if problem}
        if found:
            return found, seen
    return {}, seen


def test_random_rounds_keep_every_invariant(make_world: Any, rng: random.Random) -> None:
    found, seen = run(make_world, rng, 60)
    print(seen)
    for identifier, problem in found.items():
        enforce(identifier, problem)
    assert seen["rounds"] >= 60
    assert seen["winners who paid"] >= 30
    assert seen["equals"] >= 5


def test_random_rounds_keep_every_invariant_at_any_severity(
    make_world: Any, rng: random.Random
) -> None:
    total: Counter[str] = Counter()
    for severity in (0, 3_333, 9_999):
        house = {"house": "BudgetedClearingHouse", "severity_bps": severity}
        found, seen = run(make_world, rng, 14, **house)
        for identifier, problem in found.items():
            enforce(identifier, problem)
        total += seen
    print(total)
    assert total["rounds"] >= 20
    assert total["winners who paid"] >= 10


@pytest.mark.parametrize(("identifier", "kinds", "policies"), MUTANTS)
def test_each_planted_bug_is_caught(
    make_world: Any,
    rng: random.Random,
    identifier: str,
    kinds: dict[str, Any],
    policies: list[str],
) -> None:
    found, _ = run(make_world, rng, 60, policies=policies, **kinds)
    print(found)
    assert identifier in found
    with pytest.raises(InvariantViolation, match=identifier):
        enforce(identifier, found[identifier])


def test_every_invariant_has_a_planted_bug() -> None:
    assert [row[0] for row in MUTANTS] == list(CLEARING_INVARIANTS)
    assert account("ann").address
