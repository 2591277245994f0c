"""Set-up of a perpetual exchange: contracts, markets, vault, insurance fund, and positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

from harness.accounts import account
from harness.contracts import Contract
from harness.protocols.perp_exchange import PerpVenue
from harness.protocols.pooled_setup import feed_terms
from harness.scenario import (
    BPS,
    PerpCollateral,
    PerpExchange,
    PerpMarket,
    Scenario,
    base_units,
    usd_wad,
)
from harness.setup import Setup
from harness.traders import Trader

NO_CAP = (1 << 128) - 1
ANY_PRICE = (1 << 256) - 1
_OPENING_SCALE = 10**38
"""Skew scale while positions open: all of them at the index price."""

Mint = Callable[[str, bytes, int], None]
Approve = Callable[[str, bytes, Contract], None]


def decay_ray(half_life_s: int) -> int:
    """What one second leaves of a distance of which half is gone after ``half_life_s``, RAY; 0, for
    a half-life of 0, leaves nothing."""
    if half_life_s == 0:
        return 0
    with localcontext() as context:
        context.prec = 60
        return int((Decimal(2) ** (Decimal(-1) / half_life_s)).scaleb(27))


def deploy_perp_exchange(
    setup: Setup,
    spec: PerpExchange,
    traders: Sequence[Trader],
    participants: Sequence[bytes],
    *,
    tokens: Mapping[str, Contract],
    feeds: Mapping[str, Contract],
    decimals: Mapping[str, int],
    scenario: Scenario,
    router: Contract,
    mint: Mint,
    approve: Approve,
    seeder: bytes,
    admin: bytes,
) -> PerpVenue:
    """Deploys an exchange, funds its vault and insurance fund, and opens the positions.

    Positions open at the index price, free of fees, whatever the skew: prices have moved since
    they were opened, and what they cost then is in their equity. Only then is the market given its
    skew scale, fees, funding, caps and guards.

    participants: addresses that may be rewarded, whose accounts are tracked
    """
    parts = [setup.deploy(part).address for part in ("PerpAdmin", "PerpLiquidation")]
    exchange = setup.deploy(
        "PerpExchange",
        admin,
        tokens[spec.settlement].address,
        feeds[spec.settlement].address,
        router.address,
        *parts,
    )
    lens = setup.deploy("PerpLens")
    vault = setup.deploy("LiquidityVault", exchange.address)
    setup.send(admin, exchange, "setVault", vault.address)
    setup.send(admin, exchange, "setRiskConfig", _risk(spec, decimals[spec.settlement]))
    for market in spec.markets:
        config = market_config(market, scenario, feeds, opening=True)
        setup.send(admin, exchange, "listMarket", config, tiers(market, spec, decimals))
    for collateral in spec.collaterals:
        setup.send(
            admin,
            exchange,
            "listCollateral",
            _collateral_config(collateral, scenario, tokens, feeds, decimals),
        )
    provider = account(spec.provider).address
    _seed(setup, spec, exchange, vault, traders, provider, tokens, decimals, mint, approve, seeder)
    venue = PerpVenue(spec, exchange, lens, vault, traders, participants, decimals, provider)
    for trader, place in venue.held:
        word = venue.word_of(trader, place)
        for symbol, amount in trader.accounts[place].deposits:
            if amount:
                setup.send(seeder, exchange, "deposit", word, tokens[symbol].address, amount)
        for symbol, size in trader.accounts[place].positions:
            limit = ANY_PRICE if size > 0 else 0
            number = venue.markets.index(symbol)
            setup.send(trader.owner, exchange, "trade", word, number, size, limit)
    for trader in traders:
        mint(spec.settlement, trader.owner, trader.cash)
        if trader.answer == "sell":
            for symbol, amount in trader.holding:
                mint(symbol, trader.owner, amount)
                approve(symbol, trader.owner, router)
        if trader.answer in ("meet", "sell", "borrow"):
            approve(spec.settlement, trader.owner, exchange)
    for number, market in enumerate(spec.markets):
        config = market_config(market, scenario, feeds)
        sent = (number, config, tiers(market, spec, decimals))
        setup.send(admin, exchange, "setMarketConfig", *sent)
    return venue


def _seed(
    setup: Setup,
    spec: PerpExchange,
    exchange: Contract,
    vault: Contract,
    traders: Sequence[Trader],
    provider: bytes,
    tokens: Mapping[str, Contract],
    decimals: Mapping[str, int],
    mint: Mint,
    approve: Approve,
    seeder: bytes,
) -> None:
    """Gives the seeder what will be deposited, and fills vault and insurance fund."""
    settlement, places = spec.settlement, decimals[spec.settlement]
    in_vault, in_fund = base_units(spec.vault, places), base_units(spec.insurance, places)
    needed = {settlement: in_vault + in_fund}
    for trader in traders:
        for held in trader.accounts:
            for symbol, amount in held.deposits:
                needed[symbol] = needed.get(symbol, 0) + amount
    for symbol, amount in needed.items():
        if amount:
            mint(symbol, seeder, amount)
            approve(symbol, seeder, exchange)
    if in_vault:
        approve(settlement, seeder, vault)
        setup.send(seeder, vault, "deposit", in_vault, provider)
    if in_fund:
        fund = exchange.address + bytes(12)
        setup.send(seeder, exchange, "deposit", fund, tokens[settlement].address, in_fund)


def tiers(
    market: PerpMarket, spec: PerpExchange, decimals: Mapping[str, int]
) -> list[tuple[int, ...]]:
    """A market's tiers as the contract takes them."""
    unit = 10 ** decimals[spec.settlement]
    return [
        (
            tier.end(unit),
            tier.initial_bps,
            tier.call_bps,
            tier.maintenance_bps,
            tier.close_share_bps,
        )
        for tier in market.tiers
    ]


def market_config(
    market: PerpMarket, scenario: Scenario, feeds: Mapping[str, Contract], *, opening: bool = False
) -> tuple[Any, ...]:
    """A market's configuration as the contract takes it; while positions open, without skew price,
    fees, premium, funding, caps and guards."""

    def cap(tokens: float | None) -> int:
        return NO_CAP if tokens is None or opening else base_units(tokens, 18)

    on = 0 if opening else 1
    return (
        *feed_terms(scenario, feeds, market.symbol),
        _OPENING_SCALE if opening else base_units(market.skew_scale, 18),
        cap(market.long_cap),
        cap(market.short_cap),
        market.maker_fee_pips * on,
        market.taker_fee_pips * on,
        market.premium_bound_bps * on,
        decay_ray(market.premium_half_life_s),
        usd_wad(market.funding_slope) * on,
        usd_wad(market.interest) * on,
        usd_wad(market.funding_cap),
        market.liquidation_fee_bps,
        market.liquidator_share_bps,
        market.cooldown_s,
        market.partial_steps,
        market.step_window_s,
        market.band_bps * on,
        decay_ray(market.band_half_life_s),
        usd_wad(market.volatility_target) * on,
        decay_ray(market.volatility_half_life_s),
        market.open_interest_slope_bps * on,
        BPS if opening else market.scale_cap_bps,
    )


def _collateral_config(
    collateral: PerpCollateral,
    scenario: Scenario,
    tokens: Mapping[str, Contract],
    feeds: Mapping[str, Contract],
    decimals: Mapping[str, int],
) -> tuple[Any, ...]:
    symbol = collateral.symbol
    cap = NO_CAP if collateral.cap is None else base_units(collateral.cap, decimals[symbol])
    return (
        tokens[symbol].address,
        *feed_terms(scenario, feeds, symbol),
        collateral.haircut_bps,
        cap,
    )


def _risk(spec: PerpExchange, places: int) -> tuple[Any, ...]:
    return (
        spec.withdraw_floor_bps,
        spec.withdraw_profit,
        spec.backstop_bps,
        spec.fee_vault_bps,
        spec.fee_insurance_bps,
        base_units(spec.keeper_fee, places),
        base_units(spec.vault_floor, places),
        spec.vault_lock_bps,
    )


__all__ = ["decay_ray", "deploy_perp_exchange", "market_config", "tiers"]
