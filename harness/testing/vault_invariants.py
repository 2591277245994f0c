"""What must hold of receipt vaults and curated vaults whatever happens: an ID and a sentence each.

As `harness.testing.invariants`: plain functions of decoded integers that cost O(1), or one step for
each strategy, which return what is wrong, or None; each with a contract with one planted bug in
``contracts/mutants``. A unit is the market's measure of a claim: a scaled claim, or a share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = [
    "CURATED_INVARIANTS",
    "VAULT_INVARIANTS",
    "rounding_of",
    "wrong_backing",
    "wrong_coverable",
    "wrong_gift",
    "wrong_lift",
    "wrong_loss",
    "wrong_share_of_units",
    "wrong_share_price",
    "wrong_total",
]

VAULT_INVARIANTS: Mapping[str, str] = {
    "VLT-1": "No deposit or withdrawal lowers the units behind a share of a receipt vault.",
    "VLT-2": "A receipt vault counts no more units than the market has down for it.",
    "VLT-3": "A gift changes nothing in a receipt vault that does not count gifts.",
}
"""Each receipt vault's invariant's sentence, by ID."""

CURATED_INVARIANTS: Mapping[str, str] = {
    "VLT-4": (
        "No deposit, withdrawal or allocation lowers a curated vault's assets per share by more "
        "than the rounding of the strategies it moves."
    ),
    "VLT-5": (
        "A curated vault's total is what is idle and what its parts are worth, all of which it has."
    ),
    "VLT-6": "A gift adds nothing to a curated vault, and a cover at most what may be covered.",
    "VLT-7": "What a strategy has lost is noted, and stays so until it is covered.",
    "VLT-8": "Shares that leave take their part of what may be covered along.",
}
"""Each curated vault's invariant's sentence, by ID."""


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


def rounding_of(share_worths: Sequence[int]) -> int:
    """Assets by which one move in or out of each of these strategies may miss what is moved.

    Args:
        share_worths: What a single base unit of each strategy's shares costs, rounded up to a whole
            one of the market's units and then of assets: the larger of before and after.

    A move rounds to whole market units and then to whole shares, which loses less than one of each;
    what a part is worth is rounded down to market units and then to assets, and less than one of
    each comes or goes with that. Two market units, a share and an asset are less than three shares
    and an asset, for a share's cost so rounded is at least a unit's.

    """
    return 3 * sum(share_worths)


def wrong_share_price(
    before: tuple[int, int], after: tuple[int, int], share_worths: Sequence[int]
) -> str | None:
    """VLT-4: total assets and shares without a deposit, withdrawal or allocation, and with it, at
    one time; `rounding_of` the strategies it has moved."""
    (old_assets, old_shares), (new_assets, new_shares) = before, after
    spared = new_assets + rounding_of(share_worths)
    if old_shares and new_shares and spared * old_shares < old_assets * new_shares:
        return f"a share had {old_assets}/{old_shares} assets and has {new_assets}/{new_shares}"
    return None


def wrong_total(
    *,
    total_assets: int,
    idle: int,
    worths: Sequence[int],
    token_balance: int,
    redeemable: Sequence[int],
) -> str | None:
    """VLT-5: the vault's books; its balance of the asset, and what its balance of each strategy's
    shares redeems for."""
    if total_assets != idle + sum(worths):
        return f"the total is {total_assets}, with {idle} idle and parts worth {list(worths)}"
    if idle > token_balance:
        return f"{idle} assets are counted as idle, the vault has {token_balance}"
    for place, (worth, most) in enumerate(zip(worths, redeemable, strict=True)):
        if worth > most:
            return f"strategy {place} counts for {worth}, the vault's shares of it for {most}"
    return None


def wrong_lift(
    before: int, after: int, *, paid: int, coverable: int, share_worths: Sequence[int] = ()
) -> str | None:
    """VLT-6: total assets without a gift or a cover and with it, at one time.

    Args:
        before: Total assets without it.
        after: Total assets with it.
        paid: Into the vault for a cover; 0 for a gift.
        coverable: What could be covered; 0 for a gift.
        share_worths: Of strategies that were given something, for `rounding_of`.

    """
    if paid > coverable:
        return f"{paid} was paid to cover {coverable}"
    if not 0 <= after - before - paid <= rounding_of(share_worths):
        return f"{paid} paid made the total {after} instead of {before}"
    return None


def wrong_loss(
    *, worth_then: int, worth_now: int, lost_before: int, lost_after: int, covered: int
) -> str | None:
    """VLT-7: a strategy's worth after the vault was last touched, and as it is touched now; what
    was noted as lost before and is after; what this touch has covered."""
    expected = lost_before + max(0, worth_then - worth_now) - covered
    if lost_after != expected:
        return f"{lost_after} is noted as lost instead of {expected}"
    return None


def wrong_coverable(before: tuple[int, int], after: tuple[int, int], *, loss: int) -> str | None:
    """VLT-8: what may be covered of a strategy and the vault's shares, before and after a call that
    noted a loss."""
    (old, old_shares), (new, new_shares) = before, after
    most = old + loss
    if new > most or new * old_shares > most * new_shares:
        return f"{new} may be covered of {most} with {new_shares} of {old_shares} shares left"
    return None
