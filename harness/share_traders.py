"""What those are given who trade shares of vaults in pools: contracts, cash and approvals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from harness.accounts import account
from harness.contracts import Contract
from harness.scenario import (
    Pool,
    Scenario,
    ShareArbitrageur,
    Vault,
    VaultDepositor,
    base_units,
)
from harness.setup import Setup


class ShareTraders(NamedTuple):
    """The contract that cycles between pools and vaults, and the one that sells in pools; None
    where nobody needs it."""

    arbitrage: Contract | None = None
    swap: Contract | None = None


def equip_share_traders(
    setup: Setup,
    scenario: Scenario,
    decimals: Mapping[str, int],
    *,
    mint: Callable[[str, bytes, int], None],
    approve: Callable[[str, bytes, Contract], None],
) -> ShareTraders:
    """Deploys what a scenario's arbitrageurs of shares and selling depositors need, and equips
    them; mint, approve: of a token by its symbol."""
    arbitrage = swap = None
    for spec in scenario.agents_of(ShareArbitrageur):
        arbitrage = arbitrage or setup.deploy("ShareArbitrageExecutor")
        asset = scenario.venue_as(Pool, spec.pool).quote
        if spec.holding_discount_bps:
            swap = swap or setup.deploy("SwapRouter")
        for index in range(spec.count):
            owner = account(spec.name, index).address
            mint(asset, owner, base_units(spec.cash, decimals[asset]))
            approve(asset, owner, arbitrage)
            if spec.holding_discount_bps and swap is not None:
                approve(asset, owner, swap)
    for depositor in scenario.agents_of(VaultDepositor):
        if depositor.sale_discount_bps:
            swap = swap or setup.deploy("SwapRouter")
            share = scenario.venue_as(Vault, depositor.vault).share
            for index in range(depositor.count):
                approve(share, account(depositor.name, index).address, swap)
    return ShareTraders(arbitrage, swap)


__all__ = ["ShareTraders", "equip_share_traders"]
