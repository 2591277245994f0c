"""What must hold of a perpetual exchange, each with an ID and a sentence.

Beside `harness.testing.invariants`, in its style: plain functions of decoded integers that return
what is wrong, or None. A contract in ``contracts/mutants`` has a bug planted for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "PERP_INVARIANTS",
    "perp_worth",
    "wrong_funding",
    "wrong_open_interest",
    "wrong_perp_accounts",
    "wrong_perp_books",
    "wrong_perp_liquidation",
]

PERP_INVARIANTS: Mapping[str, str] = {
    "PRP-1": "In settlement tokens, the accounts' cash + vault cash + fees - deficit equals the "
    "tokens the exchange holds, to the wei; of every collateral, what accounts hold equals the "
    "tokens.",
    "PRP-2": "Of every market, open interest of longs and of shorts are the sums of the accounts' "
    "positions.",
    "PRP-3": "Every account that was liquidated or taken over had less equity than its "
    "maintenance margin, at the prices it was valued at.",
    "PRP-4": "Of every market, the sum over positions of size x funding index, and that of their "
    "costs, are those the vault reckons with: what the one side is owed the other owes.",
    "PRP-5": "The accounts' cash sums to the exchange's total, and what they hold of each "
    "collateral to that collateral's.",
}
"""Each invariant's sentence, by ID."""

_BPS = 10_000
_WAD = 10**18


def perp_worth(
    *,
    before: Sequence[int],
    prices: Sequence[int],
    tiers: Sequence[Sequence[tuple[int, int]]],
    value_scale: int,
    units: Sequence[int],
    haircut_bps: Sequence[int],
) -> tuple[int, int]:
    """Equity and maintenance margin of an account, in settlement units, rounded as the exchange
    rounds them.

    Args:
        before: cash; size and cost with funding by market; amounts by collateral.
        prices: mark by market, price by collateral (WAD), margin scale by market (bps).
        tiers: of each market, (end of the tier in settlement units, maintenance ratio in bps).
        value_scale: the exchange's.
        units: base units of a whole token, by collateral.
        haircut_bps: by collateral.

    """
    markets, collaterals = len(tiers), len(units)
    equity, maintenance = before[0], 0
    for market in range(markets):
        size, cost = before[1 + 2 * market], before[2 + 2 * market]
        mark, scale = prices[market], prices[markets + collaterals + market]
        equity += size * mark // value_scale - cost
        notional = -(-abs(size) * mark // value_scale)
        start = weighted = 0
        for end, ratio in tiers[market]:
            weighted += max(0, min(notional, end) - start) * ratio
            start = end
        maintenance += -(-weighted * scale // _BPS**2)
    for i in range(collaterals):
        whole = before[1 + 2 * markets + i] * _WAD // units[i]
        value = whole * prices[markets + i] // value_scale
        equity += value * (_BPS - haircut_bps[i]) // _BPS
    return equity, maintenance


# --- O(1) for each exchange, market or event


def wrong_perp_books(
    *,
    cash: int,
    vault_cash: int,
    fees: int,
    deficit: int,
    token_balance: int,
    collateral: Sequence[tuple[int, int]] = (),
) -> str | None:
    """PRP-1. All in the settlement token's base units, ``cash`` of all accounts together with the
    insurance fund's; ``collateral``: what accounts hold and the exchange's tokens, by token."""
    total = cash + vault_cash + fees - deficit
    if total != token_balance:
        return (
            f"cash {cash} + vault {vault_cash} + fees {fees} - deficit {deficit} is not the "
            f"{token_balance} tokens held: {total - token_balance:+d}"
        )
    for index, (held, tokens) in enumerate(collateral):
        if held != tokens:
            return f"accounts hold {held} of collateral {index}, the exchange has {tokens}"
    return None


def wrong_perp_liquidation(
    *,
    before: Sequence[int],
    prices: Sequence[int],
    equity_before: int,
    maintenance_before: int,
    tiers: Sequence[Sequence[tuple[int, int]]],
    value_scale: int,
    units: Sequence[int],
    haircut_bps: Sequence[int],
) -> str | None:
    """PRP-3 for one ``Liquidation`` or ``Takeover`` event, all computed anew.

    ``equity_before`` and ``maintenance_before`` are what the event says; the rest as in
    `perp_worth`, with the event's ``before`` and ``prices``.
    """
    equity, maintenance = perp_worth(
        before=before,
        prices=prices,
        tiers=tiers,
        value_scale=value_scale,
        units=units,
        haircut_bps=haircut_bps,
    )
    if equity >= maintenance:
        return f"an account was liquidated with equity {equity} on a margin of {maintenance}"
    if (equity, maintenance) != (equity_before, maintenance_before):
        return (
            f"the event has equity {equity_before} on a margin of {maintenance_before}, "
            f"its account {equity} on {maintenance}"
        )
    return None


# --- O(accounts)


def wrong_open_interest(sizes: Iterable[int], *, long_size: int, short_size: int) -> str | None:
    """PRP-2 for one market: ``sizes`` are the accounts' positions, above zero when long."""
    longs = shorts = 0
    for size in sizes:
        if size > 0:
            longs += size
        else:
            shorts -= size
    if (longs, shorts) != (long_size, short_size):
        return (
            f"positions sum to {longs} long and {shorts} short, "
            f"the market has {long_size} and {short_size}"
        )
    return None


def wrong_funding(
    positions: Iterable[tuple[int, int, int]], *, funding_base: int, total_cost: int
) -> str | None:
    """PRP-4 for one market: ``positions`` are (size, cost, funding index) of every account."""
    base = cost_sum = 0
    for size, cost, index in positions:
        base += size * index
        cost_sum += cost
    if base != funding_base:
        return f"size x funding index sums to {base}, the market has {funding_base}"
    if cost_sum != total_cost:
        return f"the positions' costs sum to {cost_sum}, the market has {total_cost}"
    return None


def wrong_perp_accounts(amounts: Iterable[int], *, total: int, what: str = "cash") -> str | None:
    """PRP-5 for cash or one collateral, over all accounts and the insurance fund's."""
    found = sum(amounts)
    if found != total:
        return f"the accounts' {what} sums to {found}, the exchange has {total}"
    return None
