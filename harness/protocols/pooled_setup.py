"""Set-up of a pooled lending market: contracts, listings, suppliers, and positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.accounts import account
from harness.contracts import Contract
from harness.modules.deploy import configure_module, deploy_module, enroll
from harness.population import Position
from harness.protocols.pooled_lending import NO_CAP, PooledLendingVenue, address_of
from harness.scenario import (
    AbsorbAndSell,
    CheckedFeed,
    Depositor,
    LendingAsset,
    PooledLending,
    Scenario,
    Supplier,
    Trigger,
    base_units,
    rate_ray,
    usd_wad,
)
from harness.scenario.sources import by_name, feed_sources
from harness.setup import Setup


def depositors(scenario: Scenario, venue: str) -> tuple[bytes, ...]:
    """Those who stand ready in a market's stability pool."""
    return tuple(
        account(spec.name, index).address
        for spec in scenario.agents_of(Depositor)
        if spec.venue == venue
        for index in range(spec.count)
    )


def participants(scenario: Scenario, venue: str) -> list[bytes]:
    """Those whom a market's module may pay in claims."""
    triggers = [
        account(spec.name, index).address
        for spec in scenario.agents_of(Trigger)
        if spec.venue == venue
        for index in range(spec.count)
    ]
    return [*triggers, *depositors(scenario, venue)]


def deploy_pooled_lending(
    setup: Setup,
    spec: PooledLending,
    positions: Sequence[Position],
    *,
    tokens: Mapping[str, Contract],
    feeds: Mapping[str, Contract],
    decimals: Mapping[str, int],
    scenario: Scenario,
    liquidation_executor: Contract,
    deleverage_executor: Contract,
    flash_liquidator: Contract | None,
    router: Contract,
    mint: Callable[[str, bytes, int], None],
    approve: Callable[[str, bytes, Contract], None],
    seeder: bytes,
    admin: bytes,
) -> PooledLendingVenue:
    """Deploys a market, its lens and its suppliers; `put_in_force` completes it.

    Positions may start anywhere up to the liquidation threshold, as prices leave them, although
    a borrower may go no further than the LTV: the LTV is the threshold until they are open.
    """
    market = setup.deploy(
        "PooledMarket",
        admin,
        (
            spec.close_factor_bps,
            usd_wad(spec.full_close_health_factor),
            usd_wad(spec.full_close_below_usd),
            usd_wad(spec.min_leftover_usd),
        ),
    )
    lens = setup.deploy("LendingLens")
    if spec.flash_loan_fee_pips:
        setup.send(admin, market, "setFlashLoanFee", spec.flash_loan_fee_pips)
    module = deploy_module(
        setup,
        spec.liquidation,
        market,
        admin=admin,
        router=router,
        tokens=tokens,
        decimals=decimals,
    )
    for listing in spec.assets:
        opening = listing.liquidation_threshold_bps
        config = _asset_config(listing, scenario, tokens, feeds, decimals, ltv_bps=opening)
        setup.send(admin, market, "listAsset", config)
    suppliers = _supply(
        setup,
        spec,
        market,
        tokens,
        positions,
        _suppliers(spec, scenario, decimals),
        mint=mint,
        approve=approve,
        seeder=seeder,
    )
    configs = {
        listing.symbol: _asset_config(
            listing, scenario, tokens, feeds, decimals, ltv_bps=listing.ltv_bps
        )
        for listing in spec.assets
    }
    if module is not None:
        suppliers.append(module.contract.address)
        suppliers += participants(scenario, spec.name)
        module = replace(module, depositors=depositors(scenario, spec.name))
    places = [decimals[a.symbol] for a in spec.assets]
    return PooledLendingVenue(
        spec,
        market,
        lens,
        positions,
        suppliers,
        places,
        configs,
        tokens=tokens,
        liquidator=liquidation_executor,
        deleverager=deleverage_executor,
        flash_liquidator=flash_liquidator,
        module=module,
    )


def put_in_force(
    setup: Setup,
    venue: PooledLendingVenue,
    *,
    mint: Callable[[str, bytes, int], None],
    approve: Callable[[str, bytes, Contract], None],
    seeder: bytes,
    admin: bytes,
) -> None:
    """Puts a pooled market's terms and its module in force, once its positions are open."""
    market, spec, module = venue.market, venue.spec, venue.module
    for listing in spec.assets:
        if listing.ltv_bps != listing.liquidation_threshold_bps:
            setup.send(admin, market, "setAssetConfig", venue.listed(listing.symbol))
    if module is not None:
        collaterals = [
            (venue.token(listing.symbol), places)
            for listing, places in zip(spec.assets, venue.decimals, strict=True)
            if listing.liquidation_threshold_bps
        ]
        configure_module(setup, module, collaterals, admin=admin)
        enroll(setup, module, [(address_of(p), p) for p in venue.positions], admin=admin)
        if isinstance(module.design, AbsorbAndSell) and module.design.reserves:
            base = module.design.base
            amount = base_units(module.design.reserves, venue.decimals[venue.assets.index(base)])
            mint(base, seeder, amount)
            approve(base, seeder, market)
            setup.send(seeder, market, "fundReserves", venue.token(base).address, amount)


def feed_terms(
    scenario: Scenario, feeds: Mapping[str, Contract], name: str
) -> tuple[bytes, int, int, int]:
    """A feed as a market takes it: address, oldest age in seconds, and the bounds at or
    beyond which answers are refused, in the feed's units."""
    source = by_name(feed_sources(scenario))[name]
    feed = source.feed
    if not isinstance(feed, CheckedFeed):
        raise TypeError(f"{name} is no feed")  # validation refuses such a scenario
    return (
        feeds[name].address,
        feed.max_age_s,
        base_units(feed.min_answer_usd, source.decimals),
        base_units(feed.max_answer_usd, source.decimals),
    )


def _asset_config(
    listing: LendingAsset,
    scenario: Scenario,
    tokens: Mapping[str, Contract],
    feeds: Mapping[str, Contract],
    decimals: Mapping[str, int],
    *,
    ltv_bps: int,
) -> tuple[Any, ...]:
    places = decimals[listing.symbol]

    def cap(tokens_allowed: float | None) -> int:
        return NO_CAP if tokens_allowed is None else base_units(tokens_allowed, places)

    return (
        tokens[listing.symbol].address,
        *feed_terms(scenario, feeds, listing.feed_name),
        ltv_bps,
        listing.liquidation_threshold_bps,
        listing.liquidation_bonus_bps,
        listing.protocol_share_bps,
        listing.reserve_factor_bps,
        cap(listing.supply_cap),
        cap(listing.borrow_cap),
        rate_ray(listing.base_rate),
        rate_ray(listing.slope1),
        rate_ray(listing.slope2),
        rate_ray(listing.kink),
    )


def _suppliers(
    spec: PooledLending, scenario: Scenario, decimals: Mapping[str, int]
) -> list[tuple[bytes, str, int]]:
    """Those who supply to a market: account, asset and base units. Passive ones come first."""
    passive = [
        (
            account(spec.supplier(listing.symbol)).address,
            listing.symbol,
            listing.supplied,
        )
        for listing in spec.assets
    ]
    running = [
        (account(agent.name, index).address, agent.asset, agent.supplied)
        for agent in scenario.agents_of(Supplier)
        if agent.venue == spec.name
        for index in range(agent.count)
    ]
    units = (
        (who, asset, base_units(tokens, decimals[asset]))
        for who, asset, tokens in passive + running
    )
    return [entry for entry in units if entry[2]]


def _supply(
    setup: Setup,
    spec: PooledLending,
    market: Contract,
    tokens: Mapping[str, Contract],
    positions: Sequence[Position],
    suppliers: Sequence[tuple[bytes, str, int]],
    *,
    mint: Callable[[str, bytes, int], None],
    approve: Callable[[str, bytes, Contract], None],
    seeder: bytes,
) -> list[bytes]:
    """Gives the seeder everything that will be supplied, and supplies the suppliers' part."""
    needed = {listing.symbol: 0 for listing in spec.assets}
    for _, symbol, amount in suppliers:
        needed[symbol] += amount
    for position in positions:
        for symbol, amount in position.supplied:
            needed[symbol] += amount
    for symbol, amount in needed.items():
        if amount:
            mint(symbol, seeder, amount)
            approve(symbol, seeder, market)
    for supplier, symbol, amount in suppliers:
        setup.send(seeder, market, "supply", tokens[symbol].address, amount, supplier)
    return list(dict.fromkeys(supplier for supplier, _, _ in suppliers))
