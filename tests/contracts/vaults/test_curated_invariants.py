"""The curated vaults' invariants hold, and each catches the vault with its bug planted.

Real contracts and mutants go through the same random actions, from the seed that is printed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from harness.errors import Reverted
from harness.testing.invariants import enforce
from harness.testing.vault_invariants import (
    CURATED_INVARIANTS,
    wrong_coverable,
    wrong_lift,
    wrong_loss,
    wrong_share_price,
    wrong_total,
)
from tests.contracts.mutants import check_caught, planted

STEPS = 250
STILL = (0, 0, 0)
GIFTS = ("give assets", "give shares", "give units")
PASSING_BY = (*GIFTS, "outside", "lend", "default")


class Seen(NamedTuple):
    """A vault, and by strategy what its part is worth, what has been lost and may be covered, what
    the strategy's shares that it has redeem for, and what one of them costs."""

    total: int
    shares: int
    idle: int
    balance: int
    worths: list[int]
    lost: list[int]
    coverable: list[int]
    redeemable: list[int]
    held: list[int]
    share_worths: list[int]


def see(vault: Any) -> Seen:
    """Everything the invariants speak of."""
    books = [vault.read("strategy", place) for place in range(len(vault.parts))]
    held = [vault.chain.balance(part.contract, vault.contract) for part in vault.parts]
    return Seen(
        vault.read("totalAssets"),
        vault.read("totalSupply"),
        vault.read("idle"),
        vault.chain.balance(vault.asset, vault.contract),
        [worth for _, worth, _ in books],
        [lost for _, _, lost in books],
        [vault.read("coverable", place) for place in range(len(vault.parts))],
        [
            part.read("previewRedeem", shares)
            for part, shares in zip(vault.parts, held, strict=True)
        ],
        held,
        [part.read("previewMint", 1) for part in vault.parts],
    )


class Run:
    """A crowd around a curated vault, looked at after every step."""

    def __init__(self, crowd: Any, *, still: bool) -> None:
        self.crowd, self.vault, self.still = crowd, crowd.vault, still
        self.touched = see(self.vault)

    def step(self) -> dict[str, str]:
        """One step, refused or not, and what it broke."""
        step, vault = self.crowd.draw(), self.vault
        with vault.chain.anchor():
            vault.chain.wait(1)
            without = see(vault)
        if step.kind in PASSING_BY:
            self.crowd.happen(step)
            after = see(vault)
            found = {"VLT-5": _total(after)}
            if step.kind in GIFTS and self.still:  # it takes a few blocks, with their interest
                touched = after.share_worths[step.place : step.place + 1]
                found["VLT-6"] = wrong_lift(
                    without.total,
                    after.total,
                    paid=0,
                    coverable=0,
                    share_worths=() if step.kind == "give assets" else touched,
                )
            return {name: problem for name, problem in found.items() if problem}
        try:
            self.crowd.call(step)
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
            return {}
        after = see(vault)
        found = {"VLT-5": _total(after)} | self._by_strategy(step, without, after)
        if step.kind == "cover":
            loss = max(0, self.touched.worths[step.place] - without.worths[step.place])
            found["VLT-6"] = wrong_lift(
                without.total,
                after.total,
                paid=after.balance - without.balance,
                coverable=without.coverable[step.place] + loss,
            )
        else:
            moved = [
                max(without.share_worths[place], after.share_worths[place])
                for place in range(len(vault.parts))
                if without.held[place] != after.held[place]
            ]
            found["VLT-4"] = wrong_share_price(
                (without.total, without.shares), (after.total, after.shares), moved
            )
        self.touched = after
        return {name: problem for name, problem in found.items() if problem}

    def _by_strategy(self, step: Any, without: Seen, after: Seen) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for place, worth in enumerate(self.touched.worths):
            paid = after.balance - without.balance
            found["VLT-7"] = found.get("VLT-7") or wrong_loss(
                worth_then=worth,
                worth_now=without.worths[place],
                lost_before=without.lost[place],
                lost_after=after.lost[place],
                covered=paid if (step.kind, step.place) == ("cover", place) else 0,
            )
            found["VLT-8"] = found.get("VLT-8") or wrong_coverable(
                (without.coverable[place], without.shares),
                (after.coverable[place], after.shares),
                loss=max(0, worth - without.worths[place]),
            )
        return found


def _total(seen: Seen) -> str | None:
    return wrong_total(
        total_assets=seen.total,
        idle=seen.idle,
        worths=seen.worths,
        token_balance=seen.balance,
        redeemable=seen.redeemable,
    )


@pytest.mark.parametrize("still", [False, True])
def test_real_vaults_keep_every_invariant(make_crowd: Any, still: bool) -> None:
    options = {"rates": STILL} if still else {}
    run = Run(make_crowd("isolated", "pooled", **options), still=still)
    for _ in range(STEPS):
        for identifier, problem in run.step().items():
            enforce(identifier, problem, run.vault.chain.number)
    assert any(run.touched.lost)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_real_vaults_keep_every_invariant_for_long(make_crowd: Any, rng: Any, seed: int) -> None:
    rng.seed(f"{rng.random()} {seed}")
    options = {"rates": STILL} if seed % 2 else {}
    crowd = make_crowd("isolated", "pooled", "isolated", decimals=(6, 18)[seed // 2], **options)
    run = Run(crowd, still=bool(seed % 2))
    for _ in range(3_000):
        for identifier, problem in run.step().items():
            enforce(identifier, problem, run.vault.chain.number)
    assert any(run.touched.lost)


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("VLT-4", "CuratedPaysRoundedUp"),
        ("VLT-5", "CuratedKeepsAllocated"),
        ("VLT-6", "CuratedCountsGifts"),
        ("VLT-7", "CuratedForgetsLoss"),
        ("VLT-8", "CuratedCoversLeavers"),
    ],
)
def test_each_planted_bug_is_caught_by_its_invariant(
    make_crowd: Any, identifier: str, kind: str
) -> None:
    run = Run(make_crowd("isolated", "pooled", kind=kind, rates=STILL), still=True)
    check_caught(identifier, run.step, STEPS)


def test_every_invariant_has_a_planted_bug() -> None:
    assert planted(test_each_planted_bug_is_caught_by_its_invariant) == sorted(CURATED_INVARIANTS)
