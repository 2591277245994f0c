"""What must hold of an isolated market whatever happens, each with an ID and a sentence.

As `harness.testing.invariants`: plain functions of decoded integers, each of which returns what is
wrong, or None, and a contract with one planted bug for each in ``contracts/mutants``. All but
ISO-2, which costs O(accounts), cost O(1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = [
    "ISOLATED_INVARIANTS",
    "incentive_factor",
    "wrong_isolated_books",
    "wrong_isolated_liquidation",
    "wrong_isolated_totals",
    "wrong_seizure",
    "wrong_supply_share_price",
]

ISOLATED_INVARIANTS: Mapping[str, str] = {
    "ISO-1": "An isolated market has lent no more than was supplied, and holds the difference in "
    "tokens.",
    "ISO-2": "The supply and debt shares of all accounts sum exactly to an isolated market's "
    "totals, and it holds the collateral of all of them.",
    "ISO-3": "Every account liquidated in an isolated market had a health factor below 1 at the "
    "price it was valued at.",
    "ISO-4": "A supply share of an isolated market never gets cheaper, but by bad debt.",
    "ISO-5": "No liquidation in an isolated market pays more collateral than the debt repaid is "
    "worth times the incentive factor of its LLTV.",
}
"""Each invariant's sentence, by ID."""

_WAD = 10**18
_PRICE_SCALE = 10**36
_VIRTUAL_ASSETS, _VIRTUAL_SHARES = 1, 10**6


def incentive_factor(lltv_wad: int) -> int:
    """min(1.15, 1 / (1 - 0.3 (1 - LLTV))), WAD, rounded down (Morpho Blue 1.0.0)."""
    discount = 3 * 10**17 * (_WAD - lltv_wad) // _WAD
    return min(115 * 10**16, _WAD * _WAD // (_WAD - discount))


def wrong_isolated_books(
    *, supply_assets: int, borrow_assets: int, token_balance: int
) -> str | None:
    """ISO-1, base units of the debt token; ``token_balance`` is the market's own."""
    cash = supply_assets - borrow_assets
    if cash < 0:
        return f"{borrow_assets} is lent of {supply_assets} supplied"
    if token_balance < cash:
        return f"the market counts {cash} in cash and holds {token_balance}"
    return None


def wrong_isolated_totals(
    positions: Iterable[tuple[int, int, int]],
    *,
    total_supply_shares: int,
    total_borrow_shares: int,
    collateral_balance: int,
) -> str | None:
    """ISO-2: ``positions`` are supply shares, debt shares and collateral of every account;
    ``collateral_balance`` is the market's own, base units."""
    supply = borrow = collateral = 0
    for supply_shares, borrow_shares, held in positions:
        supply += supply_shares
        borrow += borrow_shares
        collateral += held
    for name, found, total in (
        ("supply", supply, total_supply_shares),
        ("debt", borrow, total_borrow_shares),
    ):
        if found != total:
            return f"the accounts' {name} shares sum to {found}, the market has {total}"
    if collateral_balance < collateral:
        return (
            f"the accounts' collateral sums to {collateral}, the market holds {collateral_balance}"
        )
    return None


def wrong_isolated_liquidation(
    *, collateral_before: int, debt_before: int, price: int, lltv_wad: int, health_before: int
) -> str | None:
    """ISO-3 for one ``Liquidate`` event, the health factor computed anew.

    Args:
        collateral_before: the event's, base units.
        debt_before: the event's, base units.
        price: base units of debt for one of collateral, 1e36 is one, as used.
        lltv_wad: the market's LLTV.
        health_before: what the event says, WAD.

    """
    if debt_before == 0:
        return "an account without debt was liquidated"
    worth = collateral_before * price // _PRICE_SCALE * lltv_wad // _WAD
    health = worth * _WAD // debt_before
    if health >= _WAD:
        return f"an account was liquidated at a health factor of {health / _WAD}"
    if health != health_before:
        return f"the event has a health factor of {health_before}, its position {health}"
    return None


def wrong_supply_share_price(
    before: tuple[int, int], after: tuple[int, int], *, bad_debt: int
) -> str | None:
    """ISO-4 between two moments, in order.

    Args:
        before: the market's supply in assets and in shares.
        after: the same, later.
        bad_debt: debt taken off the supply in between, base units.

    """
    old_assets, old_shares = before[0] + _VIRTUAL_ASSETS, before[1] + _VIRTUAL_SHARES
    new_assets, new_shares = after[0] + _VIRTUAL_ASSETS, after[1] + _VIRTUAL_SHARES
    if (new_assets + bad_debt) * old_shares < old_assets * new_shares:
        return (
            f"a share was worth {old_assets}/{old_shares} and is worth {new_assets}/{new_shares} "
            f"after bad debt of {bad_debt}"
        )
    return None


def wrong_seizure(*, repaid: int, seized: int, price: int, lltv_wad: int) -> str | None:
    """ISO-5 for one ``Liquidate`` event, base units; price as in `wrong_isolated_liquidation`."""
    factor = incentive_factor(lltv_wad)
    if seized * price * _WAD > repaid * factor * _PRICE_SCALE:
        return f"{seized} was seized for {repaid} at a price of {price} and a factor of {factor}"
    return None
