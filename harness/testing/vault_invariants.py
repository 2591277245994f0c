"""What must hold of receipt vaults whatever happens, each with an ID and a sentence.

As `harness.testing.invariants`: plain functions of decoded integers that cost O(1), each of which
returns what is wrong, or None, and a contract with one planted bug for each in
``contracts/mutants``. A unit is the market's measure of a claim: a scaled claim, or a share.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["VAULT_INVARIANTS", "wrong_backing", "wrong_gift", "wrong_share_of_units"]

VAULT_INVARIANTS: Mapping[str, str] = {
    "VLT-1": "No deposit or withdrawal lowers the units behind a share of a receipt vault.",
    "VLT-2": "A receipt vault counts no more units than the market has down for it.",
    "VLT-3": "A gift changes nothing in a receipt vault that does not count gifts.",
}
"""Each invariant's sentence, by ID."""


def wrong_share_of_units(before: tuple[int, int], after: tuple[int, int]) -> str | None:
    """VLT-1: units held and shares in circulation at two moments, in order."""
    (old_units, old_shares), (new_units, new_shares) = before, after
    if old_shares and new_shares and new_units * old_shares < old_units * new_shares:
        return f"a share had {old_units}/{old_shares} units and has {new_units}/{new_shares}"
    return None


def wrong_backing(*, held_units: int, market_units: int) -> str | None:
    """VLT-2: what the vault counts, and what the market has."""
    if held_units > market_units:
        return f"the vault counts {held_units} units, the market has {market_units}"
    return None


def wrong_gift(before: int, after: int) -> str | None:
    """VLT-3: units held without the gift and with it."""
    if after != before:
        return f"a gift changed the units held from {before} to {after}"
    return None
