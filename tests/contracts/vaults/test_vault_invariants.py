"""The vaults' invariants hold, and each catches the vault with its bug planted.

Real contracts and mutants go through the same random actions, from the seed that is printed.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.accounts import account
from harness.errors import Reverted
from harness.testing.invariants import enforce
from harness.testing.vault_invariants import (
    VAULT_INVARIANTS,
    wrong_backing,
    wrong_gift,
    wrong_share_of_units,
)
from tests.contracts.mutants import check_caught, planted

WAD = 10**18
PEOPLE = ("alice", "bob", "carol")
ACTIONS = 150


class Run:
    """A vault under random deposits, withdrawals and gifts."""

    def __init__(
        self, make_vault: Any, rng: random.Random, *, given: bool = True, **options: Any
    ) -> None:
        self.rng = rng
        self.actions = ["deposit", "mint", "withdraw", "redeem", *(["gift"] if given else [])]
        self.vault = vault = make_vault(**options)
        vault.supply_market("whale", 9_000_000 * vault.unit)
        vault.deposit("holder", 1_000 * vault.unit)
        vault.lend("borrower", 5_000_000 * vault.unit, 10_000 * WAD)

    def step(self) -> dict[str, str]:
        """One action, refused or not, and what it broke."""
        rng, vault = self.rng, self.vault
        who = rng.choice(PEOPLE)
        me = vault.fund(who, 10**6 * vault.unit)
        amount = int(10_000 ** rng.random() * vault.unit) + rng.randint(0, 9)
        action = rng.choice(self.actions)
        vault.chain.wait(rng.choice([1, 24 * 3_600]))
        before = self.look()
        try:
            if action == "gift":
                vault.give(amount)
            elif action in ("deposit", "mint"):
                vault.send(who, action, amount, me)
            else:
                amount = min(amount, vault.shares(who)) if action == "redeem" else amount
                vault.send(who, action, amount, me, me)
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
        after = self.look()
        found = {
            "VLT-1": wrong_share_of_units(before, after),
            "VLT-2": wrong_backing(held_units=after[0], market_units=vault.read("marketUnits")),
        }
        if action == "gift" and not vault.read("countsGifts"):
            found["VLT-3"] = wrong_gift(before[0], after[0])
        return {name: problem for name, problem in found.items() if problem}

    def look(self) -> tuple[int, int]:
        """Units held and shares in circulation."""
        return self.vault.read("heldUnits"), self.vault.read("totalSupply")


@pytest.mark.parametrize("over", ["isolated", "pooled"])
@pytest.mark.parametrize("gifts", [False, True])
def test_real_vaults_keep_every_invariant(
    make_vault: Any, rng: random.Random, over: str, gifts: bool
) -> None:
    run = Run(make_vault, rng, over=over, gifts=gifts)
    for _ in range(ACTIONS):
        for identifier, problem in run.step().items():
            enforce(identifier, problem, run.vault.chain.number)
    assert run.vault.shares("alice") + run.vault.shares("bob")


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("VLT-1", "VaultMintsRoundedUp"),
        ("VLT-2", "VaultKeepsWithdrawn"),
        ("VLT-3", "VaultCountsGifts"),
    ],
)
def test_each_planted_bug_is_caught_by_its_invariant(
    make_vault: Any, rng: random.Random, identifier: str, kind: str
) -> None:
    # gifts that do not count would cover up units that are not there
    run = Run(make_vault, rng, given=identifier == "VLT-3", kind=kind)
    check_caught(identifier, run.step, ACTIONS)


def test_every_invariant_has_a_planted_bug() -> None:
    assert planted(test_each_planted_bug_is_caught_by_its_invariant) == sorted(VAULT_INVARIANTS)


def test_accounts_are_not_the_vault(make_vault: Any) -> None:
    """What the market has for a holder is not the vault's."""
    vault = make_vault("isolated")
    vault.supply_market("alice", 100)
    assert vault.read("marketUnits") == vault.read("heldUnits") == 0
    assert vault.chain.read(vault.market, "position", account("alice").address)[0] == 100 * 10**6
