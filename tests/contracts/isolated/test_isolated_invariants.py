"""The invariants hold on the real contract, and each catches the contract with its bug planted.

Real contract and mutants go through the same random actions, from the seed that is printed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from harness.accounts import account
from harness.errors import Reverted
from harness.testing.invariants import enforce
from harness.testing.isolated_invariants import (
    ISOLATED_INVARIANTS,
    incentive_factor,
    wrong_isolated_books,
    wrong_isolated_liquidation,
    wrong_isolated_totals,
    wrong_seizure,
    wrong_supply_share_price,
)
from tests.contracts.mutants import check_caught, planted

WAD = 10**18
RAY = 10**27
USD = 10**8
MAX = (1 << 256) - 1
PEOPLE = ("alice", "bob", "carol", "treasury")
LLTV = 86 * WAD // 100
ACTIONS = 300


class Run:
    """A market under random actions; `problems` are those of the last one, by invariant."""

    def __init__(self, make_isolated: Any, rng: random.Random, kind: str) -> None:
        self.rng = rng
        self.rig = rig = make_isolated(
            kind=kind,
            debt_decimals=6,
            lltv=LLTV,
            fee=WAD // 10,
            base_rate=RAY // 20,
            slope1=RAY // 10,
            slope2=2 * RAY,
        )
        for token in (rig.debt, rig.collateral):
            rig.fund("bank", token, 10**40)
        self.liquidations = self.bad_debts = 0
        self.before = rig.state()

    def step(self) -> dict[str, str]:
        """One action, refused or not, and what it broke."""
        rng, rig = self.rng, self.rig
        if rng.random() < 0.35:
            rig.price(rng.choice([900, 1_500, 1_800, 2_000, 2_100]) * USD)
        who = rng.choice(PEOPLE[:3])
        held, state = rig.position(who), rig.state()
        me = account(who).address
        amount = int(200_000 ** rng.random() * 10**6) + rng.randint(0, 9)
        after = rng.choice((1, 12, 24 * 3_600))
        action = rng.choices(
            ("supply", "withdraw", "collateral", "borrow", "repay", "liquidate"), (4, 2, 3, 5, 1, 5)
        )[0]
        with rig.chain.anchor():  # the state at the time of the action, but without it
            rig.chain.wait(after)
            self.before = rig.state()
        try:
            if action == "supply":
                rig.send("bank", "supply", amount, 0, me, after=after)
            elif action == "withdraw":
                rig.send(who, "withdraw", amount, 0, me, me, after=after)
            elif action == "collateral":
                assets = int(100 ** rng.random() * WAD)
                rig.send("bank", "supplyCollateral", assets, me, after=after)
            elif action == "borrow":
                worth = held.collateral * state.price // 10**36 * LLTV // WAD
                room = min(worth - held.debt, state.supply_assets - state.borrow_assets)
                amount = max(1, room * rng.randint(80, 100) // 100)
                rig.send(who, "borrow", amount, 0, me, me, after=after)
            elif action == "repay":
                rig.send("bank", "repay", 0, max(1, held.borrow_shares // 2), me, after=after)
            else:
                weakest = account(min(PEOPLE[:3], key=rig.health)).address
                shares = MAX if rng.random() < 0.6 else max(1, held.borrow_shares // 3)
                receipt = rig.send("bank", "liquidate", weakest, 0, shares, b"", after=after)
                return dict(self.problems(receipt.logs))
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
        return dict(self.problems(()))

    def problems(self, logs: Any) -> Iterator[tuple[str, str]]:
        """What does not hold now, by invariant."""
        rig = self.rig
        before, state = self.before, rig.state()
        events = rig.market.events(logs, "Liquidate")
        bad_debt = sum(event["badDebtAssets"] for event in events)
        found = [
            (
                "ISO-1",
                wrong_isolated_books(
                    supply_assets=state.supply_assets,
                    borrow_assets=state.borrow_assets,
                    token_balance=state.debt_tokens,
                ),
            ),
            (
                "ISO-2",
                wrong_isolated_totals(
                    [position[:3] for position in rig.positions(*PEOPLE)],
                    total_supply_shares=state.supply_shares,
                    total_borrow_shares=state.borrow_shares,
                    collateral_balance=state.collateral_tokens,
                ),
            ),
            ("ISO-4", wrong_supply_share_price(before[:2], state[:2], bad_debt=bad_debt)),
        ]
        for event in events:
            self.liquidations += 1
            self.bad_debts += bool(event["badDebtAssets"])
            price = event["collateralPriceWad"] * 10**36 // (event["debtPriceWad"] * 10**12)
            found += [
                (
                    "ISO-3",
                    wrong_isolated_liquidation(
                        collateral_before=event["collateralBefore"],
                        debt_before=event["debtBefore"],
                        price=price,
                        lltv_wad=LLTV,
                        health_before=event["healthFactorBefore"],
                    ),
                ),
                (
                    "ISO-5",
                    wrong_seizure(
                        repaid=event["repaidAssets"],
                        seized=event["seizedAssets"],
                        price=price,
                        lltv_wad=LLTV,
                    ),
                ),
            ]
        for identifier, problem in found:
            if problem is not None:
                yield identifier, problem


def test_the_real_contract_keeps_every_invariant(make_isolated: Any, rng: random.Random) -> None:
    run = Run(make_isolated, rng, "IsolatedMarket")
    for _ in range(ACTIONS):
        for identifier, problem in run.step().items():
            enforce(identifier, problem, run.rig.chain.number)
    assert run.liquidations > run.bad_debts > 0


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("ISO-1", "IsolatedForgetsBadDebt"),
        ("ISO-2", "IsolatedDropsShareDust"),
        ("ISO-3", "IsolatedLiquidatesHealthy"),
        ("ISO-4", "IsolatedMintsRoundedUp"),
        ("ISO-5", "IsolatedOverpays"),
    ],
)
def test_each_planted_bug_is_caught_by_its_invariant(
    make_isolated: Any, rng: random.Random, identifier: str, kind: str
) -> None:
    run = Run(make_isolated, rng, kind)
    check_caught(identifier, run.step, ACTIONS)


def test_every_invariant_has_a_planted_bug() -> None:
    assert planted(test_each_planted_bug_is_caught_by_its_invariant) == sorted(ISOLATED_INVARIANTS)


def test_what_the_market_does_not_do_is_found_too() -> None:
    assert "holds 4" in (
        wrong_isolated_books(supply_assets=9, borrow_assets=4, token_balance=4) or ""
    )
    assert "is lent of" in (
        wrong_isolated_books(supply_assets=3, borrow_assets=4, token_balance=4) or ""
    )
    totals = {"total_supply_shares": 1, "total_borrow_shares": 2, "collateral_balance": 3}
    assert wrong_isolated_totals([(1, 2, 3)], **totals) is None
    for position, word in (((2, 2, 3), "supply"), ((1, 1, 3), "debt"), ((1, 2, 4), "collateral")):
        assert word in (wrong_isolated_totals([position], **totals) or "")
    event = {"collateral_before": 1_000, "price": 10**36, "lltv_wad": 8 * 10**17}
    health = 800 * WAD // 801
    assert wrong_isolated_liquidation(debt_before=801, health_before=health, **event) is None
    for debt, said in ((801, health + 1), (800, WAD), (0, MAX)):
        assert wrong_isolated_liquidation(debt_before=debt, health_before=said, **event)
    assert incentive_factor(0) == 115 * WAD // 100
