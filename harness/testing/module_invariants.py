"""What must hold of liquidation modules, each with an ID and a sentence.

Beside `harness.testing.invariants`, in its style: plain functions of decoded integers that return
what is wrong, or None. A contract in ``contracts/mutants`` has a bug planted for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "MODULE_INVARIANTS",
    "wrong_absorption",
    "wrong_collateral_sale",
    "wrong_discount",
    "wrong_module_account",
    "wrong_purchase",
    "wrong_throttle",
]

MODULE_INVARIANTS: Mapping[str, str] = {
    "AUC-1": "What auctions are raising at once, over all collateral and for each, is within its "
    "limit, or passes it by less than a dusty account's debt with the penalty.",
    "AUC-2": "A module's account in the market is the sum of what its liquidations hold and owe, "
    "and the trigger's dirt is the sum of what its auctions are raising.",
    "AUC-3": "A buyer in a Dutch auction pays the curve's price, rounded up, and no more than is "
    "to be raised.",
    "DIS-1": "Collateral is sold at no less than 1 - discount of its value, where the discount is "
    "1 - health factor and at most the cap; the module keeps nothing.",
    "ABS-1": "Absorbed collateral is sold only while reserves are below their target, and at no "
    "less than the ask price.",
    "ABS-2": "An absorbed account is left without debt, and with no more than its collateral's "
    "value x liquidation factor less its debt.",
}
"""Each invariant's sentence, by ID."""

_WAD = 10**18
_RAY = 10**27
_BPS = 10_000


def wrong_throttle(*, hole: int, dirt: int, dust: int, penalty_bps: int) -> str | None:
    """AUC-1 for one limit, all USD WAD. A limit lowered below the dirt must be left out."""
    allowed = hole + dust * penalty_bps // _BPS
    if dirt > allowed:
        return f"{dirt} is in auction, the limit is {hole} and dust allows {allowed}"
    return None


def wrong_module_account(
    name: str, total: int, parts: Iterable[int], *, what: str = "liquidations"
) -> str | None:
    """AUC-2 for one figure, in its own units: ``total`` of the module, ``parts`` of each."""
    found = sum(parts)
    if found != total:
        return f"{name}: the {what} come to {found}, the module has {total}: {found - total:+d}"
    return None


def wrong_purchase(*, bought: int, paid: int, price_ray: int, tab_before: int) -> str | None:
    """AUC-3 for one ``Take`` event, base units; ``price_ray`` as the curve has it.

    The last base unit of the tab buys no more than it pays for: where ``paid`` is the tab the
    collateral may be rounded down.
    """
    if paid > tab_before:
        return f"{paid} was paid, {tab_before} was to be raised"
    due = -(-bought * price_ray // _RAY)
    if paid < due:
        return f"{bought} was sold for {paid}, at this price it costs {due}"
    return None


def wrong_discount(
    *,
    health_factor: int,
    cap: int,
    repaid_usd: int,
    seized_usd: int,
    left: Sequence[tuple[int, int]],
    tolerance_usd: int,
) -> str | None:
    """DIS-1 for one liquidation, WAD; ``left`` is what the module has left, scaled, by asset."""
    discount = min(_WAD - health_factor, cap)
    least = seized_usd * (_WAD - discount) // _WAD
    if repaid_usd + tolerance_usd < least:
        return f"collateral of {seized_usd} was sold for {repaid_usd}, not for {least}"
    if any(map(any, left)):
        return f"the module has {left} left"
    return None


def wrong_collateral_sale(
    *,
    reserves_before: int,
    target: int,
    paid_usd: int,
    collateral: int,
    unit: int,
    ask_wad: int,
) -> str | None:
    """ABS-1 for one ``BuyCollateral`` event: USD WAD, collateral in base units."""
    if reserves_before >= target:
        return f"collateral was sold at reserves of {reserves_before}, the target is {target}"
    if collateral * ask_wad > paid_usd * unit:
        return f"{collateral} was sold for {paid_usd}, the ask price is {ask_wad}"
    return None


def wrong_absorption(
    *, credited: int, debt_after: int, credit_limit: int, debt_before: int
) -> str | None:
    """ABS-2 for one ``Absorb`` event, base assets; ``credit_limit`` is value x liquidation factor."""
    if debt_after:
        return f"the account still owes {debt_after}"
    if credited > max(0, credit_limit - debt_before):
        return f"{credited} was credited of {credit_limit} less a debt of {debt_before}"
    return None
