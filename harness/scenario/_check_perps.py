"""Rules that tie the fields of perpetual exchanges, their traders and agents together."""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import ScenarioError
from harness.scenario._decode import require_known
from harness.scenario.model import Scenario
from harness.scenario.perps import (
    BasisTrader,
    FundingKeeper,
    FundUnwinder,
    MarginCaller,
    PerpExchange,
    PerpLiquidator,
    PerpMarket,
    Traders,
    VaultHedger,
)
from harness.scenario.units import BPS
from harness.scenario.venues import Lending, Pool

_OF_EXCHANGES = (
    PerpLiquidator,
    MarginCaller,
    FundingKeeper,
    FundUnwinder,
    VaultHedger,
    BasisTrader,
)


def check_exchanges(scenario: Scenario) -> Iterator[str]:
    """Warnings about exchanges. Raises ScenarioError where fields contradict each other."""
    for i, venue in enumerate(scenario.venues):
        if isinstance(venue, PerpExchange):
            _check_exchange(scenario, venue, f"venue[{i}]")
            callers = [a.venue for a in scenario.agents_of(MarginCaller)]
            if venue.name not in callers:
                yield f"venue[{i}]: no agent of kind margin-caller calls accounts of {venue.name}"
    for i, population in enumerate(scenario.populations):
        if isinstance(population, Traders):
            _check_traders(scenario, population, f"population[{i}]")
    for i, agent in enumerate(scenario.agents):
        if isinstance(agent, _OF_EXCHANGES):
            exchanges = [venue.name for venue in scenario.venues_of(PerpExchange)]
            require_known(agent.venue, exchanges, f"agent[{i}].venue", "a perp-exchange venue")
        if isinstance(agent, BasisTrader | VaultHedger):
            _check_hedger(scenario, agent, f"agent[{i}]")


def _check_exchange(scenario: Scenario, spec: PerpExchange, path: str) -> None:
    _check_asset(scenario, spec.settlement, f"{path}.settlement")
    if not spec.markets:
        raise ScenarioError(f"{path}.market", [], "at least one market")
    if len(spec.markets) > 32:
        raise ScenarioError(f"{path}.market", len(spec.markets), "at most 32 markets")
    if len(spec.collaterals) > 16:
        raise ScenarioError(f"{path}.collateral", len(spec.collaterals), "at most 16 collaterals")
    if spec.fee_vault_bps + spec.fee_insurance_bps > BPS:
        allowed = f"with fee_vault_bps {spec.fee_vault_bps} at most {BPS}"
        raise ScenarioError(f"{path}.fee_insurance_bps", spec.fee_insurance_bps, allowed)
    if spec.vault <= 0:
        raise ScenarioError(f"{path}.vault", spec.vault, "above 0: it is the other side of trades")
    seen: list[str] = []
    for j, market in enumerate(spec.markets):
        here = f"{path}.market[{j}]"
        _check_asset(scenario, market.symbol, f"{here}.symbol")
        if market.symbol in seen:
            raise ScenarioError(f"{here}.symbol", market.symbol, "each only once")
        if market.symbol == spec.settlement:
            allowed = f"not the settlement token {spec.settlement}"
            raise ScenarioError(f"{here}.symbol", market.symbol, allowed)
        seen.append(market.symbol)
        _check_tiers(market, 10 ** scenario.asset(spec.settlement).decimals, here)
    pools = [{pool.base, pool.quote} for pool in scenario.venues_of(Pool)]
    held: list[str] = [spec.settlement]
    for j, collateral in enumerate(spec.collaterals):
        here = f"{path}.collateral[{j}].symbol"
        _check_asset(scenario, collateral.symbol, here)
        if collateral.symbol in held:
            raise ScenarioError(here, collateral.symbol, "each only once, and not the settlement")
        held.append(collateral.symbol)
        if {collateral.symbol, spec.settlement} not in pools:
            allowed = f"an asset with a pool against {spec.settlement}, in which it is sold"
            raise ScenarioError(here, collateral.symbol, allowed)


def _check_asset(scenario: Scenario, symbol: str, path: str) -> None:
    require_known(symbol, [asset.symbol for asset in scenario.assets], path, "an asset's symbol")
    asset = scenario.asset(symbol)
    if asset.is_share:
        raise ScenarioError(path, symbol, "no share of a vault: shares are redeemed, not traded")
    if asset.feed is None:
        raise ScenarioError(path, symbol, "an asset with a feed ([asset.feed])")
    if asset.decimals > 18:
        allowed = f"an asset of at most 18 decimals; {symbol} has {asset.decimals}"
        raise ScenarioError(path, symbol, allowed)


def _check_tiers(market: PerpMarket, unit: int, path: str) -> None:
    if not market.tiers:
        raise ScenarioError(f"{path}.tier", [], "at least one tier")
    start = 0
    for k, tier in enumerate(market.tiers):
        here, last = f"{path}.tier[{k}]", k == len(market.tiers) - 1
        if last and tier.up_to_usd is not None:
            raise ScenarioError(f"{here}.up_to_usd", tier.up_to_usd, "none in the last tier")
        if not last and tier.up_to_usd is None:
            raise ScenarioError(f"{here}.up_to_usd", None, "required in all tiers but the last")
        if tier.end(unit) <= start:
            allowed = f"above {start / unit:g}, by a base unit of the settlement token or more"
            raise ScenarioError(f"{here}.up_to_usd", tier.up_to_usd, allowed)
        start = tier.end(unit)
        if tier.maintenance_bps >= tier.call_bps:
            allowed = f"below call_bps {tier.call_bps}"
            raise ScenarioError(f"{here}.maintenance_bps", tier.maintenance_bps, allowed)
        if tier.call_bps >= tier.initial_bps:
            allowed = f"below initial_bps {tier.initial_bps}"
            raise ScenarioError(f"{here}.call_bps", tier.call_bps, allowed)


def _check_traders(scenario: Scenario, population: Traders, path: str) -> None:
    exchanges = [venue.name for venue in scenario.venues_of(PerpExchange)]
    require_known(population.venue, exchanges, f"{path}.venue", "a perp-exchange venue")
    spec = scenario.venue_as(PerpExchange, population.venue)
    markets = [market.symbol for market in spec.markets]
    for symbol, _ in population.markets:
        require_known(symbol, markets, f"{path}.markets.{symbol}", f"a market of {spec.name}")
    weighted = [symbol for symbol, weight in population.markets if round(weight * 10**6) > 0]
    if population.markets_each > len(weighted):
        allowed = f"at most the {len(weighted)} markets with a weight above 0"
        raise ScenarioError(f"{path}.markets_each", population.markets_each, allowed)
    held = [spec.settlement, *(collateral.symbol for collateral in spec.collaterals)]
    for symbol, _ in population.collateral:
        require_known(symbol, held, f"{path}.collateral.{symbol}", f"a collateral of {spec.name}")
    others = [other.name for other in scenario.populations if isinstance(other, Traders)]
    if population.like:
        others.remove(population.name)
        require_known(population.like, others, f"{path}.like", "another population of traders")
    if population.leverage.max < population.leverage.min:
        allowed = f"at least min {population.leverage.min:g}"
        raise ScenarioError(f"{path}.leverage.max", population.leverage.max, allowed)
    _check_response(scenario, spec, population, f"{path}.response")


def _check_response(scenario: Scenario, spec: PerpExchange, population: Traders, path: str) -> None:
    response = population.response
    shares = (response.meet_bps, response.sell_bps, response.borrow_bps, response.reduce_bps)
    if sum(shares) > BPS:
        allowed = f"with meet_bps, sell_bps and borrow_bps at most {BPS} together"
        raise ScenarioError(f"{path}.reduce_bps", response.reduce_bps, allowed)
    first, last = response.latency_blocks
    if last < first:
        raise ScenarioError(f"{path}.latency_blocks[1]", last, f"at least {first}")
    if not (response.sell_bps or response.borrow_bps):
        return
    symbols = [asset.symbol for asset in scenario.assets if asset.symbol != spec.settlement]
    require_known(
        response.holding, symbols, f"{path}.holding", "an asset that is sold or borrowed on"
    )
    if response.sell_bps:
        pools = [{pool.base, pool.quote} for pool in scenario.venues_of(Pool)]
        if {response.holding, spec.settlement} not in pools:
            allowed = f"an asset with a pool against {spec.settlement}"
            raise ScenarioError(f"{path}.holding", response.holding, allowed)
    if response.borrow_bps:
        lenders = [venue.name for venue in scenario.venues_of(Lending)]
        require_known(response.lender, lenders, f"{path}.lender", "a lending venue")
        lender = scenario.venue_as(Lending, response.lender)
        listed = [asset.symbol for asset in lender.assets]
        require_known(
            response.holding, listed, f"{path}.holding", f"an asset listed in {lender.name}"
        )
        if spec.settlement not in listed:
            allowed = f"a venue that lends {spec.settlement}"
            raise ScenarioError(f"{path}.lender", response.lender, allowed)


def _check_hedger(scenario: Scenario, agent: BasisTrader | VaultHedger, path: str) -> None:
    """What it trades on spot has a pool against the settlement token."""
    spec = scenario.venue_as(PerpExchange, agent.venue)
    markets = [market.symbol for market in spec.markets]
    pools = [{pool.base, pool.quote} for pool in scenario.venues_of(Pool)]
    pooled = [symbol for symbol in markets if {symbol, spec.settlement} in pools]
    what = f"a market of {spec.name} with a pool against {spec.settlement}"
    if isinstance(agent, BasisTrader):
        require_known(agent.market, pooled, f"{path}.market", what)
        return
    for symbol, _ in agent.inventory:
        require_known(symbol, pooled, f"{path}.inventory.{symbol}", what)
    if not pooled:
        raise ScenarioError(f"{path}.venue", agent.venue, f"an exchange with {what}")
