"""Checks of curated vaults' invariants while a scenario runs: VLT-5 and VLT-7 after every block."""

from __future__ import annotations

from collections.abc import Iterator

from harness.protocols.curated_vault import VaultHandle, VaultState
from harness.testing.vault_invariants import wrong_share_price, wrong_total
from harness.view import View
from harness.world import World

IDENTIFIERS = ("VLT-5", "VLT-7")


class VaultBooks:
    """The books of all vaults, from block to block."""

    def __init__(self, world: World) -> None:
        self._vaults = world.vaults
        self._before: dict[str, VaultState] = {}

    def block(self, view: View) -> Iterator[tuple[str, str]]:
        """What is wrong after a block: identifiers and problems."""
        for name, vault in self._vaults.items():
            state = view.vaults[name]
            problem = self._total(view, vault, state)
            if problem:
                yield "VLT-5", f"{name}: {problem}"
            problem = self._fall(view, vault, self._before.get(name, state), state)
            if problem:
                yield "VLT-7", f"{name}: {problem}"
            self._before[name] = state

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
        self, view: View, vault: VaultHandle, before: VaultState, after: VaultState
    ) -> str | None:
        """A share is worth less by what has been noted as lost since, and by no more; and what has
        been noted stays so, but for interest earned before the vault was touched."""
        lost = sum(after.lost) - sum(before.lost)
        parts = zip(before.lost, after.lost, before.worth, after.worth, strict=True)
        for number, (old, new, worth_then, worth_now) in enumerate(parts):
            if new < old - max(0, worth_now - worth_then):
                return f"{old} was lost in strategy {number} and is {new} now"
        return wrong_share_price(
            (before.assets - max(0, lost), before.shares),
            (after.assets, after.shares),
            [view.ask(strategy, "previewMint", 1) for strategy in vault.strategies],
        )


__all__ = ["IDENTIFIERS", "VaultBooks"]
