"""The summary object: the figures of a run and its twin that every command and report uses.

USD figures are sums of integers in WAD, divided once at the end; ``exact`` holds integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from harness.metrics.exchanges import exchange_solvency
from harness.metrics.waterfall import loss_by_step
from harness.protocols.isolated_lending import IsolatedLendingVenue
from harness.scenario import PRICE_UNIT, Scenario, StabilityDeposits
from harness.trace import LiquidationRow, Trace, VenueBlock
from harness.world import World

WAD = 10**18

#: What those do who liquidate: they pay its fees and have its profit.
LIQUIDATING = frozenset(
    {
        "liquidate",
        "liquidate_perp",
        "liquidate_shares",
        "seize",
        "liquidate_traded_shares",
        "auction",
        "reset",
        "buy",
        "bid",
        "settle",
        "sell",
        "absorb",
        "settle_reserves",
        "offset",
    }
)


def usd(amount_wad: int) -> float:
    """A USD amount in WAD as a number."""
    return amount_wad / WAD


def _ratio(value: int, base: int) -> float | None:
    return value / base if base else None


def _repaid(rows: Iterable[LiquidationRow]) -> int:
    return sum(row.repaid_usd for row in rows)


def transactions(run: Trace) -> dict[str, int]:
    """Agents' and keepers' transactions by what became of them; ``sent`` counts all, those still
    waiting included. Statements of outside prices and charges of fees are not counted."""
    rows = [row for row in run.transactions if row.agent not in ("builder", "publisher")]
    counted = {"succeeded": 0, "reverted": 0, "expired": 0, "pending": 0}
    for row in rows:
        counted[row.status] += 1
    return {
        "sent": len(rows),
        "succeeded": counted["succeeded"],
        "reverted": counted["reverted"],
        "expired": counted["expired"],
    }


def prices(run: Trace, twin: Trace) -> dict[str, dict[str, float]]:
    """Outside prices of the run, and their extremes in the twin, where no forced trade moved
    them."""
    figures = {}
    for symbol in run.blocks[0].external:
        path = [block.external[symbol] for block in run.blocks]
        undisturbed = [block.external[symbol] for block in twin.blocks]
        figures[symbol] = {
            "start": path[0] / PRICE_UNIT,
            "low": min(path) / PRICE_UNIT,
            "high": max(path) / PRICE_UNIT,
            "end": path[-1] / PRICE_UNIT,
            "exogenous_low": min(undisturbed) / PRICE_UNIT,
            "exogenous_high": max(undisturbed) / PRICE_UNIT,
        }
    return figures


def liquidator_profit(run: Trace, world: World, scenario: Scenario) -> int:
    """Proceeds less payment of every liquidation and sale, at the outside price of its block, with
    what is kept and not yet sold, and rewards, less the fees liquidators paid, both at the outside
    price at the end; USD WAD, rounded down.

    What a buyer at auction has not sold on counts neither as cost nor as proceeds.
    """
    scale = WAD // PRICE_UNIT
    total = 0
    names = set()
    later: set[int] = set()
    for sale in run.sales:
        if sale.by_depositor:
            continue
        later.add(sale.liquidation)
        debt = run.liquidations[sale.liquidation].debt
        price = run.blocks[sale.block].external[debt] * scale
        if sale.trade or sale.proceeds:
            total += (sale.proceeds - sale.paid) * price // world.units[debt]
    for place, row in enumerate(run.liquidations):
        names.add(row.liquidator)
        total += row.reward_usd
        price = run.blocks[row.block].external[row.debt] * scale
        if row.depositors_usd or row.borrowers_usd:
            continue  # depositors paid, and have what it brought
        if (row.trade or row.proceeds or row.unsold) and place not in later:
            total += (row.proceeds - row.repaid) * price // world.units[row.debt]
        if row.unsold:
            last = run.blocks[-1].external[row.collateral] * scale
            total += row.unsold * last // world.units[row.collateral]
    names |= {row.agent for row in run.transactions if row.action in LIQUIDATING}
    fee_asset = scenario.block_space.fee_asset
    fee_price = run.blocks[-1].external[fee_asset] * scale
    fees = sum(fee for agent, fee in run.fees.items() if agent in names)
    return total - fees * fee_price // world.units[fee_asset]


def liquidations(run: Trace, world: World, scenario: Scenario) -> dict[str, Any]:
    """Count and values of all liquidations, and by venue."""

    def figures(rows: Sequence[LiquidationRow]) -> dict[str, Any]:
        return {
            "count": len(rows),
            "repaid_usd": usd(_repaid(rows)),
            "seized_usd": usd(sum(row.seized_usd for row in rows)),
        }

    return {
        **figures(run.liquidations),
        "liquidator_profit_usd": usd(liquidator_profit(run, world, scenario)),
        "by_venue": {
            name: figures([row for row in run.liquidations if row.venue == name])
            for name in (*world.venues, *world.exchanges)
        },
    }


def cascade(run: Trace, twin: Trace) -> dict[str, Any]:
    """Waves, amplification against the twin, and the branching ratio by value."""
    waves: dict[int, list[LiquidationRow]] = {}
    for row in run.liquidations:
        waves.setdefault(row.wave, []).append(row)
    amplification = _ratio(_repaid(run.liquidations), _repaid(twin.liquidations))
    return {
        "waves": [
            {"wave": wave, "count": len(waves[wave]), "repaid_usd": usd(_repaid(waves[wave]))}
            for wave in sorted(waves)
        ],
        "max_wave": max(waves) if waves else None,
        "amplification": amplification,
        "endogenous_share": 1 - 1 / amplification if amplification else None,
        "branching_ratio": _ratio(_repaid(waves.get(1, [])), _repaid(waves.get(0, []))),
    }


def margin_calls(run: Trace) -> dict[str, int]:
    """Episodes below the call level, and how their holders answered."""
    outcomes = [call.outcome for calls in run.calls.values() for call in calls]
    return {
        "count": len(outcomes),
        "met": outcomes.count("met"),
        "reduced": outcomes.count("reduced"),
        "ignored": outcomes.count("ignored"),
    }


def solvency(run: Trace, world: World) -> dict[str, Any]:
    """Insolvency and what it is made of, in all and by venue.

    A pooled market's deficit is carried by its reserves in that asset as far as they go, and by
    its suppliers beyond. Nothing is charged to anybody before they withdraw, so
    ``socialized_loss`` is what the reserves cannot cover; of an isolated market it is all that was
    written off. Insurance fund and deleveraging exist on exchanges only; see
    `harness.metrics.exchanges.exchange_solvency` for who bears their losses.
    """
    last = run.blocks[-1]
    totals = dict.fromkeys(_SOLVENCY, 0)
    by_venue = {}
    for name, state in last.venues.items():
        figures = _venue_solvency(state, _prices(run, world, name), _units(world, name))
        prices = dict(zip(world.venues[name].assets, _prices(run, world, name), strict=True))
        figures["carried_by_reserves"] += sum(
            amount * prices[symbol] // world.units[symbol]
            for (venue, symbol), amount in run.covered.items()
            if venue == name
        )
        module = world.venues[name].module
        if module is not None and isinstance(module.design, StabilityDeposits):
            rows = [row for row in run.liquidations if row.venue == name]
            figures["carried_by_depositors"] = sum(row.depositors_usd for row in rows)
            figures["carried_by_borrowers"] = sum(row.borrowers_usd for row in rows)
        if isinstance(world.venues[name], IsolatedLendingVenue):
            # what an isolated market writes off leaves no deficit: suppliers bore it at once
            lost = _written_off(run, world, name)
            figures["socialized_loss"] = figures["carried_by_suppliers"] = lost
        for field in _SOLVENCY:
            totals[field] += figures[field]
        by_venue[name] = {f"{field}_usd": usd(amount) for field, amount in figures.items()}
    funds = dict.fromkeys(_EXCHANGE_ONLY, 0)
    for name, exchange in last.exchanges.items():
        figures = exchange_solvency(run, world.exchanges[name], exchange, last.external)
        for field in _SOLVENCY:
            totals[field] += figures[field]
        for field in _EXCHANGE_ONLY:
            funds[field] += figures[field]
        by_venue[name] = {f"{field}_usd": usd(amount) for field, amount in figures.items()}
    return {
        **{f"{field}_usd": usd(amount) for field, amount in totals.items()},
        **{
            f"{field}_usd": usd(amount) if last.exchanges else None
            for field, amount in funds.items()
        },
        "by_venue": by_venue,
    }


_SOLVENCY = (
    "insolvency",
    "bad_debt",
    "shortfall_market",
    "shortfall_liquidation",
    "shortfall_oracle",
    "deficit",
    "socialized_loss",
)
_EXCHANGE_ONLY = ("insurance_fund", "adl")


def _prices(run: Trace, world: World, venue: str) -> list[int]:
    """Outside prices (WAD) of a venue's assets at the end."""
    scale = WAD // PRICE_UNIT
    return [run.blocks[-1].external[symbol] * scale for symbol in world.venues[venue].assets]


def _written_off(run: Trace, world: World, venue: str) -> int:
    """A venue's bad debt at the last outside prices, USD WAD."""
    scale = WAD // PRICE_UNIT
    last = run.blocks[-1].external
    return sum(
        row.amount * last[row.asset] * scale // world.units[row.asset]
        for row in run.bad_debts
        if row.venue == venue
    )


def _units(world: World, venue: str) -> list[int]:
    return [10**places for places in world.venues[venue].decimals]


def _venue_solvency(
    state: VenueBlock, prices_wad: Sequence[int], units: Sequence[int]
) -> dict[str, int]:
    deficit = uncovered = 0
    for asset, price, unit in zip(state.states, prices_wad, units, strict=True):
        deficit += asset.deficit * price // unit
        uncovered += max(0, asset.deficit - asset.reserves) * price // unit
    return {
        "insolvency": state.bad_debt + state.shortfall_market,
        "bad_debt": state.bad_debt,
        "shortfall_market": state.shortfall_market,
        "shortfall_liquidation": state.shortfall_liquidation,
        "shortfall_oracle": state.shortfall_oracle,
        "deficit": deficit,
        "socialized_loss": uncovered,
        "carried_by_reserves": deficit - uncovered,
        "carried_by_suppliers": uncovered,
    }


class TwinFigures(NamedTuple):
    """What the terminal and the report show of the twin beside the run."""

    liquidations: int
    repaid_usd: float
    bad_debt_usd: float
    shortfall_market_usd: float
    insolvency_usd: float
    by_venue: Mapping[str, float]


def twin_figures(twin: Trace, world: World) -> TwinFigures:
    """The twin's liquidations and insolvency."""
    figures = solvency(twin, world)
    return TwinFigures(
        liquidations=len(twin.liquidations),
        repaid_usd=usd(_repaid(twin.liquidations)),
        bad_debt_usd=figures["bad_debt_usd"],
        shortfall_market_usd=figures["shortfall_market_usd"],
        insolvency_usd=figures["insolvency_usd"],
        by_venue={name: each["insolvency_usd"] for name, each in figures["by_venue"].items()},
    )


def exact(run: Trace, world: World, scenario: Scenario) -> dict[str, dict[str, str]]:
    """Integers in base units by token."""
    sums: dict[str, dict[str, int]] = {
        "liquidations.repaid": {},
        "liquidations.seized": {},
        "solvency.bad_debt": {},
        "solvency.deficit": {},
        "fees.paid": {},
    }
    if world.exchanges:
        sums |= {"exchanges.closed": {}, "exchanges.insurance_fund": {}}

    def add(path: str, token: str, amount: int) -> None:
        sums[path][token] = sums[path].get(token, 0) + amount

    for row in run.liquidations:
        if row.kind:
            add("exchanges.closed", row.debt, row.repaid)
        else:
            add("liquidations.repaid", row.debt, row.repaid)
            add("liquidations.seized", row.collateral, row.seized)
    for bad in run.bad_debts:
        add("solvency.bad_debt", bad.asset, bad.amount)
    for name, state in run.blocks[-1].venues.items():
        for symbol, asset in zip(world.venues[name].assets, state.states, strict=True):
            add("solvency.deficit", symbol, asset.deficit)
    for name, exchange in run.blocks[-1].exchanges.items():
        settlement = world.exchanges[name].settlement
        add("solvency.deficit", settlement, exchange.books.deficit)
        add("exchanges.insurance_fund", settlement, exchange.insurance_equity)
    for house in world.clearing.values():
        for name, exchange_venue in house.exchanges.items():
            for step, amount in loss_by_step(run, name).items():
                path = f"waterfall.loss_by_step.{step}"
                sums.setdefault(path, {})
                add(path, exchange_venue.settlement, amount)
    add("fees.paid", scenario.block_space.fee_asset, sum(run.fees.values()))
    return {
        path: {token: str(amount) for token, amount in amounts.items()}
        for path, amounts in sums.items()
    }


def vacuous(run: Trace, scenario: Scenario) -> str | None:
    """Why a run proves nothing, or None: no price moved at a feed, nobody was called, or nothing
    was liquidated, although the scenario does not expect quiet."""
    if scenario.expect == "quiet":
        return None
    answers: Mapping[str, set[int]] = {
        symbol: {block.feeds[symbol].price for block in run.blocks}
        for symbol in run.blocks[0].feeds
    }
    if all(len(values) == 1 for values in answers.values()):
        return "no feed's price moved"
    if not any(run.calls.values()):
        return "no account was called"
    if not run.liquidations:
        return "nothing was liquidated"
    return None
