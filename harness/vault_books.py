"""Checks of curated vaults while a scenario runs: VLT-5 after every block."""

from __future__ import annotations

from collections.abc import Iterator

from harness.protocols.curated_vault import VaultHandle, VaultState
from harness.testing.vault_invariants import wrong_total
from harness.view import View
from harness.world import World

IDENTIFIERS = ("VLT-5",)


class VaultBooks:
    """The books of all vaults, from block to block."""

    def __init__(self, world: World) -> None:
        self._vaults = world.vaults

    def block(self, view: View) -> Iterator[tuple[str, str]]:
        """What is wrong after a block: identifiers and problems."""
        for name, vault in self._vaults.items():
            state = view.vaults[name]
            problem = self._total(view, vault, state)
            if problem:
                yield "VLT-5", f"{name}: {problem}"

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


__all__ = ["IDENTIFIERS", "VaultBooks"]
