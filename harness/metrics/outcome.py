"""One run as the figures by which remedies are compared.

USD figures are numbers. ``time_to_recover`` counts blocks, None if the run ends before; ratios
are None where they are not defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.metrics import summary as figures_of
from harness.metrics.summary import usd
from harness.protocols.perp_exchange import NO_EQUITY, PerpVenue
from harness.protocols.pooled_lending import AssetState
from harness.run import RunResult
from harness.scenario import BPS, Lending, Scenario
from harness.trace import BlockRow, ExchangeBlock, Trace, VenueBlock
from harness.world import World

_HALF = (1 << 128) - 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures of one run.

    borrower_loss_usd: what liquidated borrowers lost beyond the debt that was repaid for them:
        collateral seized and the protocol's fee, less the repayment, at the market's prices; and
        the liquidation fees that traders paid
    supplier_loss_usd: the deficit that no reserves cover, at the last outside prices, and what the
        holders of exchanges' vaults paid
    borrowed_usd: debts at the start, at the market's prices: what a cap costs
    capital_efficiency: debts / (collateral x LTV) at the start
    time_to_recover: blocks from the first one in which insolvency is above 1% of what is supplied,
        or utilisation more than 1% away from its level at the start, to the last one
    contagion_usd: what links added to the insolvency of venues other than their own, net; None
        where it was not measured
    winners_loss_usd: what deleveraging took from accounts that had won
    largest_haircut: the largest share of its profit that it took from one; None without any
    vault_loss_usd: what curated vaults lost in their markets, as they note it themselves
    """

    insolvency_usd: float
    bad_debt_usd: float
    liquidated_usd: float
    borrower_loss_usd: float
    liquidator_profit_usd: float
    supplier_loss_usd: float
    amplification: float | None
    borrowed_usd: float
    capital_efficiency: float | None
    time_to_recover: int | None
    contagion_usd: float | None = None
    winners_loss_usd: float = 0.0
    largest_haircut: float | None = None
    vault_loss_usd: float = 0.0

    def figures(self) -> dict[str, float | int | None]:
        """The figures by name."""
        return asdict(self)


#: The names of the figures, in the order of a table.
FIGURES = tuple(Outcome.__dataclass_fields__)


def outcome(result: RunResult) -> Outcome:
    """The figures of a run."""
    summary = result.summary
    owed, allowed = _borrowing(result)
    solvency, liquidations = summary["solvency"], summary["liquidations"]
    winners = _winners(summary["waterfall"])
    return Outcome(
        insolvency_usd=solvency["insolvency_usd"],
        bad_debt_usd=solvency["bad_debt_usd"],
        liquidated_usd=liquidations["repaid_usd"],
        borrower_loss_usd=_borrower_loss(result),
        liquidator_profit_usd=liquidations["liquidator_profit_usd"],
        supplier_loss_usd=max(0.0, solvency["socialized_loss_usd"] - winners["winners_loss_usd"]),
        amplification=summary["cascade"]["amplification"],
        borrowed_usd=usd(owed),
        capital_efficiency=owed / allowed if allowed else None,
        time_to_recover=time_to_recover(result),
        contagion_usd=None if result.contagion is None else usd(result.contagion.spread()),
        vault_loss_usd=_vault_loss(summary["vaults"]),
        **winners,
    )


def _vault_loss(vaults: Mapping[str, Any] | None) -> float:
    return sum((sum(vault["lost_usd"].values()) for vault in (vaults or {}).values()), 0.0)


def _winners(waterfall: Mapping[str, Any]) -> dict[str, Any]:
    """Of all exchanges behind a clearing house."""
    every = waterfall.values()
    haircuts = [each["winners"]["largest_haircut"] for each in every]
    steps = [each["loss_by_step_usd"] for each in every]
    return {
        "winners_loss_usd": sum(step["deleveraging"] + step["winners"] for step in steps),
        "largest_haircut": max((cut for cut in haircuts if cut is not None), default=None),
    }


def run_figures(result: RunResult) -> dict[str, float | int | None]:
    """The figures of a run for tables of many runs: those of `Outcome`, and these.

    Those of `pass_figures`, and ``max_wave``: the last wave among the liquidations, None if there
    are none.
    """
    figures = outcome(result).figures() | pass_figures(result.scenario, result.world, result.run)
    return figures | {"max_wave": result.summary["cascade"]["max_wave"]}


def pass_figures(scenario: Scenario, world: World, trace: Trace) -> dict[str, float | int | None]:
    """The figures that need no twin.

    insolvency_usd, bad_debt_usd, liquidated_usd: as in `Outcome`
    supplied_usd: what is supplied at the start, collateral included, at the market's prices; to an
        exchange, what its vault has
    insolvency_bps: insolvency in 1/10,000 of that; None if nothing is supplied
    largest_debt_share: the largest account's share of all debts at the start; None without debt
    liquidations: how many
    """
    first = trace.blocks[0]
    markets = (_supplied(first.venues[name], v.decimals) for name, v in world.venues.items())
    vaults = (vault_usd(first.exchanges[name], each) for name, each in world.exchanges.items())
    supplied = usd(sum(markets) + sum(vaults))
    losses = figures_of.solvency(trace, world)
    liquidated = figures_of.liquidations(trace, world, scenario)
    insolvency = losses["insolvency_usd"]
    return {
        "insolvency_usd": insolvency,
        "bad_debt_usd": losses["bad_debt_usd"],
        "liquidated_usd": liquidated["repaid_usd"],
        "supplied_usd": supplied,
        "insolvency_bps": insolvency / supplied * BPS if supplied else None,
        "largest_debt_share": _largest_share(world, trace),
        "liquidations": liquidated["count"],
    }


def _largest_share(world: World, trace: Trace) -> float | None:
    debts: list[int] = []
    for name, venue in world.venues.items():
        states, census = trace.blocks[0].venues[name].states, trace.opening[name]
        for number in range(len(venue.accounts)):
            owed = zip(census.words(number), states, venue.decimals, strict=True)
            debts.append(sum((w & _HALF) * s.price_wad // 10**places for w, s, places in owed))
    total = sum(debts)
    return max(debts) / total if total else None


def _borrower_loss(result: RunResult) -> float:
    return usd(sum(row.taken_usd - row.relieved_usd for row in result.run.liquidations))


def _borrowing(result: RunResult) -> tuple[int, int]:
    """Debts, and what the collateral allows to borrow, at the market's prices of block 0 (WAD)."""
    owed = allowed = 0
    for spec in result.scenario.venues_of(Lending):
        venue, census = result.world.venues[spec.name], result.run.opening[spec.name]
        states = result.run.blocks[0].venues[spec.name].states
        for place, listing in enumerate(spec.assets):
            price, unit = states[place].price_wad, 10 ** venue.decimals[place]
            for word in census.balances[place :: census.width]:
                allowed += (word >> 128) * price // unit * listing.ltv_bps
                owed += (word & _HALF) * price // unit
    return owed, allowed // BPS


def time_to_recover(result: RunResult) -> int | None:
    """Blocks during which insolvency or utilisation was away from its level at the start.

    None if it still is at the end; 0 if it never was.
    """
    blocks = result.run.blocks
    supplied = {
        name: _supplied(blocks[0].venues[name], venue.decimals)
        for name, venue in result.world.venues.items()
    }
    supplied |= {
        name: vault_usd(blocks[0].exchanges[name], exchange)
        for name, exchange in result.world.exchanges.items()
    }
    away = [block.index for block in blocks if _is_away(blocks[0], block, supplied)]
    if not away:
        return 0
    if away[-1] == blocks[-1].index:
        return None
    return away[-1] - away[0] + 1


def _supplied(state: VenueBlock, decimals: Sequence[int]) -> int:
    """What a market's claims are worth at its own prices, USD WAD."""
    return sum(
        asset.total_claims * asset.price_wad // 10**places
        for asset, places in zip(state.states, decimals, strict=True)
    )


def vault_usd(state: ExchangeBlock, venue: PerpVenue) -> int:
    """Equity of an exchange's vault at its own prices, USD WAD; 0 while a feed is refused."""
    equity = state.books.vault_equity
    return 0 if equity == NO_EQUITY else equity * state.prices[-1] // venue.unit


def _is_away(first: BlockRow, block: BlockRow, supplied: Mapping[str, int]) -> bool:
    for name, either in block.every_venue.items():
        if (either.bad_debt + either.shortfall_market) * 100 > supplied[name]:
            return True
    for name, state in block.venues.items():
        for before, now in zip(first.venues[name].states, state.states, strict=True):
            if abs(_utilisation(now) - _utilisation(before)) > 0.01:
                return True
    return False


def _utilisation(state: AssetState) -> float:
    """Debt over cash and debt; 0 where there is neither."""
    lendable = state.cash + state.total_debt
    return state.total_debt / lendable if lendable else 0.0
