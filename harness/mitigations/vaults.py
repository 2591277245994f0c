"""Remedies for curated vaults and for the markets that take their shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from harness.mitigations.base import Remedy, Stage
from harness.mitigations.guards import GUARD_BID
from harness.mitigations.parameters import THRESHOLD_CUT_BPS
from harness.mitigations.supply import (
    exact,
    lendable,
    owed_by_borrowers,
    owed_by_positions,
    start_usd,
)
from harness.scenario import (
    BPS,
    Borrowers,
    Curator,
    IsolatedLending,
    LendingAsset,
    PooledLending,
    Population,
    Positions,
    Scenario,
    Vault,
    VaultMarket,
    Venue,
)

#: Share of a vault's deposits that its buffer keeps out of markets.
BUFFER_BPS = 1_000

#: Losses in sight at which the curator leaves a market, of all that is lent there.
CURATOR_LOSS_BPS = 100

_TOKEN, _CENT = Decimal("0.000001"), Decimal("0.01")


def vault_buffer(scenario: Scenario) -> Scenario:
    """A tenth of each vault's deposits is idle, taken from its markets in proportion.

    Markets lend as much less: debts there are lower in the proportion of what is left to lend, so
    that utilisation is what it was and the buffer is not merely the markets' cash in another place.
    Debts that the scenario states one by one stay; such a market gives no more than they leave.
    In ``curated-vaults`` liquidators of shares then find cash in time and liquidate more, and
    depositors who run still take all of it in the end.

    The share of a tenth is assumed; in the field vaults over Morpho Blue keep a buffer in an idle
    market (github.com/morpho-org/metamorpho).
    """
    vaults = scenario.venues_of(Vault)
    prices = start_usd(scenario) if vaults else {}
    for vault in vaults:
        scenario = _with_buffer(scenario, vault, prices)
    return scenario


def _with_buffer(scenario: Scenario, vault: Vault, prices: Mapping[str, Decimal]) -> Scenario:
    deposits = exact(vault.idle) + sum(exact(each.supplied) for each in vault.markets)
    wanted = max(Decimal(0), deposits * BUFFER_BPS / BPS - exact(vault.idle))
    part = wanted / (deposits - exact(vault.idle)) if deposits > exact(vault.idle) else Decimal(0)
    idle, markets = exact(vault.idle), []
    populations = scenario.populations
    for each in vault.markets:
        supply = lendable(scenario, each.venue, vault.asset)
        drawn = owed_by_borrowers(scenario, each.venue, vault.asset, prices)
        stated = owed_by_positions(scenario, each.venue, vault.asset)
        # what is left must hold the stated debts, and the drawn ones in its own proportion
        most = supply * (1 - stated / (supply - drawn)) if stated else supply
        taken = max(Decimal(0), min(exact(each.supplied) * part, most)).quantize(_TOKEN, ROUND_DOWN)
        idle += taken
        markets.append(VaultMarket(each.venue, float(exact(each.supplied) - taken)))
        if taken:
            left = (supply - taken) / supply
            populations = tuple(
                _scaled(population, left)
                if isinstance(population, Borrowers)
                and (population.venue, population.debt) == (each.venue, vault.asset)
                else population
                for population in populations
            )
    changed = replace(vault, markets=tuple(markets), idle=float(idle))
    venues = tuple(changed if venue is vault else venue for venue in scenario.venues)
    return replace(scenario, venues=venues, populations=populations)


def _scaled(population: Borrowers, factor: Decimal) -> Borrowers:
    size = population.size
    total, least = (
        float((exact(amount) * factor).quantize(_CENT, ROUND_DOWN))
        for amount in (size.total_debt_usd, size.min_debt_usd)
    )
    return replace(population, size=replace(size, total_debt_usd=total, min_debt_usd=least))


def vault_curator(scenario: Scenario) -> Scenario:
    """Every vault without a curator gets one, who takes what cash there is out of a market once
    losses of 1% of its loans are in sight, and lends it in the vault's next market.

    It can make things worse, as in ``curated-vaults``: where the vault is nearly the only supplier,
    what it takes out are repayments that nobody else would have had, those it leaves have no cash,
    debts there grow at the highest rate, and a share is worth a little more for those who redeem
    first and take what liquidators of shares would have had. A vault gains where others supply much
    of the market and are slower (``tests/contagion/test_vaults.py``).
    """
    taken = {curator.vault for curator in scenario.agents_of(Curator)}
    added = tuple(
        Curator(
            name=f"curator-{vault.name}",
            vault=vault.name,
            loss_bps=CURATOR_LOSS_BPS,
            reallocates=True,
            bid=GUARD_BID,
        )
        for vault in scenario.venues_of(Vault)
        if vault.name not in taken
    )
    return replace(scenario, agents=(*scenario.agents, *added))


def earlier_share_threshold(scenario: Scenario) -> Scenario:
    """Where shares of vaults are collateral, in pooled and isolated markets, the threshold is lower
    by five points.

    Health factors at the start are kept, as by ``earlier-threshold``: the same debts stand against
    more shares. An isolated market's incentive follows from its LLTV and is higher.
    """
    shares = {vault.share for vault in scenario.venues_of(Vault)}
    if not shares:
        return scenario
    cut: dict[tuple[str, str], Decimal] = {}

    def listing(market: str, listed: LendingAsset) -> LendingAsset:
        old = listed.liquidation_threshold_bps
        if listed.symbol not in shares or old <= THRESHOLD_CUT_BPS:
            return listed
        cut[market, listed.symbol] = Decimal(old) / (old - THRESHOLD_CUT_BPS)
        return replace(
            listed,
            liquidation_threshold_bps=old - THRESHOLD_CUT_BPS,
            ltv_bps=max(0, listed.ltv_bps - THRESHOLD_CUT_BPS),
        )

    def market(venue: Venue) -> Venue:
        if isinstance(venue, PooledLending):
            return replace(venue, assets=tuple(listing(venue.name, each) for each in venue.assets))
        if isinstance(venue, IsolatedLending):
            lltv = listing(venue.name, venue.assets[0]).liquidation_threshold_bps
            return replace(venue, lltv_bps=lltv)
        return venue

    venues = tuple(market(venue) for venue in scenario.venues)
    populations = tuple(_with_more(population, cut) for population in scenario.populations)
    return replace(scenario, venues=venues, populations=populations)


def _with_more(population: Population, cut: Mapping[tuple[str, str], Decimal]) -> Population:
    """Stated positions with as many more shares as keeps their health factor."""
    if not isinstance(population, Positions):
        return population

    def more(symbol: str, amount: float) -> float:
        factor = cut.get((population.venue, symbol))
        return (
            amount if factor is None else float((exact(amount) * factor).quantize(_TOKEN, ROUND_UP))
        )

    positions = tuple(
        replace(row, supplied=tuple((symbol, more(symbol, each)) for symbol, each in row.supplied))
        for row in population.positions
    )
    return replace(population, positions=positions)


REMEDIES = (
    Remedy(
        "vault-buffer",
        "a tenth of a vault's deposits stays idle; its markets lend less",
        Stage.PARAMETERS,
        vault_buffer,
    ),
    Remedy(
        "vault-curator",
        "a curator takes cash out of markets with losses of 1% in sight",
        Stage.GUARD,
        vault_curator,
    ),
    Remedy(
        "earlier-share-threshold",
        "threshold of vaults' shares five points lower, same health factors",
        Stage.PARAMETERS,
        earlier_share_threshold,
    ),
)
