"""Checks of curated vaults' invariants while a scenario runs: VLT-5 and VLT-7 after every block."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from harness.feeds import YEAR
from harness.protocols.curated_vault import VaultHandle, VaultState
from harness.scenario import BPS, Lending
from harness.testing.vault_invariants import wrong_share_price, wrong_total
from harness.view import View
from harness.world import World

IDENTIFIERS = ("VLT-5", "VLT-7")


class VaultBooks:
    """The books of all vaults, from block to block."""

    def __init__(self, world: World) -> None:
        self._vaults = world.vaults
        self._before: dict[str, VaultState] = {}
        #: shares that left in the block that is being read, by vault
        self._left: Counter[str] = Counter()

    def left(self, vault: str, shares: int) -> None:
        """Takes in shares that left a vault in the block that is being read."""
        self._left[vault] += shares

    def block(self, view: View) -> Iterator[tuple[str, str]]:
        """What is wrong after a block: identifiers and problems."""
        for name, vault in self._vaults.items():
            state = view.vaults[name]
            problem = self._total(view, vault, state)
            if problem:
                yield "VLT-5", f"{name}: {problem}"
            before = self._before.get(name, state)
            problem = self._fall(view, vault, before, state, self._left[name])
            if problem:
                yield "VLT-7", f"{name}: {problem}"
            self._before[name] = state
        self._left.clear()

    def _total(self, view: View, vault: VaultHandle, state: VaultState) -> str | None:
        address = vault.vault.address
        held = [view.ask(strategy, "balanceOf", address) for strategy in vault.strategies]
        return wrong_total(
            total_assets=state.assets,
            idle=state.idle,
            worths=state.worth,
            token_balance=view.balances(vault.spec.asset, [address])[0],
            redeemable=[
                view.ask(strategy, "previewRedeem", shares)
                for strategy, shares in zip(vault.strategies, held, strict=True)
            ],
        )

    def _fall(
        self, view: View, vault: VaultHandle, before: VaultState, after: VaultState, gone: int
    ) -> str | None:
        """What is noted stays so; and a share is worth less by what has been lost, by no more.

        What is lost is in sight at once, less what strategies had earned since the vault was last
        touched. Who leaves in the block of a loss and before it has no part in it: it is borne by
        those who stay, with as much again as interest of that block hides of it. Who comes after it
        has no part in it either, though as many shares as left may be back at the block's end.
        """
        for number, (old, new) in enumerate(zip(_in_books(before), _in_books(after), strict=True)):
            if new < old:
                return f"{old} was noted as lost in strategy {number} and {new} is now"
        earned = sum(
            max(0, worth - noted) for worth, noted in zip(before.worth, before.noted, strict=True)
        )
        fall = sum(after.lost) - sum(before.lost) + earned
        if gone > 0:
            stay = max(1, before.shares - gone)
            interest = self._interest_up(view, vault, before)
            fall += -(-max(0, fall + interest) * gone // stay)
        return wrong_share_price(
            (before.assets - fall, before.shares),
            (after.assets, after.shares),
            [view.ask(strategy, "previewMint", 1) for strategy in vault.strategies],
        )

    def _interest_up(self, view: View, vault: VaultHandle, before: VaultState) -> int:
        """More than strategies can earn in a block: twice its time at their markets' highest rates,
        for interest is compounded."""
        total = 0
        for market, worth in zip(vault.markets, before.worth, strict=True):
            terms = view.scenario.venue_as(Lending, market).asset(vault.spec.asset)
            rate_bps = math.ceil((terms.base_rate + terms.slope1 + terms.slope2) * BPS)
            seconds = 2 * view.scenario.clock.seconds_per_block
            total += 1 + worth * rate_bps * seconds // (BPS * YEAR)
        return total


def _in_books(state: VaultState) -> list[int]:
    """What the vault itself has down as lost, by strategy."""
    parts = zip(state.lost, state.worth, state.noted, strict=True)
    return [lost - max(0, noted - worth) for lost, worth, noted in parts]


__all__ = ["IDENTIFIERS", "VaultBooks"]
