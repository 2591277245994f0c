"""What must hold of liquidation modules and of a market's guards, each with an ID and a sentence.

Beside `harness.testing.invariants`, in its style: plain functions of decoded integers that return
what is wrong, or None. A contract in ``contracts/mutants`` has a bug planted for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "MODULE_INVARIANTS",
    "wrong_absorption",
    "wrong_bid",
    "wrong_collateral_sale",
    "wrong_discount",
    "wrong_flash_loan",
    "wrong_module_account",
    "wrong_opening",
    "wrong_pool",
    "wrong_purchase",
    "wrong_redistribution",
    "wrong_soft_limit",
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
    "ENG-1": "In an English auction every bid beats the last by the least increase, or reaches the "
    "tab; then every lot asked for is smaller by it.",
    "STP-1": "What the stability pool's depositors can withdraw is no more than it has, in tokens "
    "and in claims.",
    "STP-2": "A liquidation by the stability pool leaves it without debt.",
    "PSE-1": "Nobody is liquidated while the market is paused, or in the grace period after it.",
    "FLS-1": "A flash loan leaves cash and reserves higher by its fee, rounded up.",
    "CAP-1": "Nobody borrows past what claims in assets above their soft cap still count for.",
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
    """ABS-2 for one ``Absorb`` event, base assets; ``credit_limit`` is value x factor."""
    if debt_after:
        return f"the account still owes {debt_after}"
    if credited > max(0, credit_limit - debt_before):
        return f"{credited} was credited of {credit_limit} less a debt of {debt_before}"
    return None


def wrong_bid(
    *, bid_before: int, bid: int, lot_before: int, lot: int, tab: int, beg_wad: int
) -> str | None:
    """ENG-1 for one ``Bid`` event, base units; before the first bid ``bid_before`` is 0."""
    if bid_before < tab:
        if lot != lot_before or bid > tab or bid <= bid_before:
            return f"a bid of {bid} for {lot} followed {bid_before} for {lot_before} of {tab}"
        if bid != tab and bid * _WAD < bid_before * beg_wad:
            return f"a bid of {bid} followed {bid_before}, too close"
        return None
    if bid != tab or lot >= lot_before or lot * beg_wad > lot_before * _WAD:
        return f"a lot of {lot} for {bid} followed {lot_before} for {bid_before} of {tab}"
    return None


def wrong_pool(
    *,
    deposits: Iterable[int],
    total_deposits: int,
    token_balance: int,
    gains: Iterable[int],
    scaled_claims: int,
) -> str | None:
    """STP-1: ``deposits`` in debt assets and ``gains`` in scaled claims of every depositor."""
    owed, gained = sum(deposits), sum(gains)
    if not owed <= total_deposits <= token_balance:
        return f"depositors have {owed} of {total_deposits}, the pool holds {token_balance}"
    if gained > scaled_claims:
        return f"depositors gained {gained} claims, the pool has {scaled_claims}"
    return None


def wrong_redistribution(*, scaled_debt: int) -> str | None:
    """STP-2: the pool's scaled debt in the market, after any call."""
    if scaled_debt:
        return f"the pool owes {scaled_debt}"
    return None


def wrong_opening(*, timestamp: int, opens: int) -> str | None:
    """PSE-1 for one liquidation or confiscation; ``opens`` is the market's ``liquidationsFrom``."""
    if timestamp < opens:
        return f"an account was liquidated at {timestamp}, liquidation opens at {opens}"
    return None


def wrong_flash_loan(
    *,
    assets: int,
    fee_pips: int,
    before: tuple[int, int],
    after: tuple[int, int],
) -> str | None:
    """FLS-1 for one flash loan: cash and reserves before and after it, base units."""
    fee = -(-assets * fee_pips // 10**6)
    for name, old, new in zip(("cash", "reserves"), before, after, strict=True):
        if new != old + fee:
            return f"the {name} went from {old} to {new}, the fee is {fee}"
    return None


def wrong_soft_limit(
    *,
    debt_usd: int,
    claims_usd: Iterable[int],
    ltv_bps: Iterable[int],
    totals: Iterable[int],
    caps: Iterable[int],
) -> str | None:
    """CAP-1 after one borrow: USD WAD by asset, total claims and soft caps in base units."""
    limit = 0
    for claims, ltv, total, cap in zip(claims_usd, ltv_bps, totals, caps, strict=True):
        counted = claims * ltv
        limit += counted * cap // total if cap and total > cap else counted
    if debt_usd > limit // _BPS:
        return f"a debt of {debt_usd} stands on {limit // _BPS}"
    return None
