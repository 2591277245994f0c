"""Those who leave, and those who come for a wrong price: suppliers, liquidity providers and
borrowers against a stale price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from harness.scenario._decode import Range
from harness.scenario.agents import Agent
from harness.scenario.blocks import Bid, Outages, Withdrawal
from harness.scenario.model import Scenario
from harness.scenario.units import BPS, Amount, Blocks, Bps, Name, Symbol, Usd

_BID, _NO_OUTAGES, _NO_WITHDRAWAL = Bid(), Outages(), Withdrawal()


@dataclass(frozen=True, slots=True)
class Supplier(Agent):
    """Suppliers of one asset to a pooled lending market who run.

    Each of the ``count`` has supplied ``supplied`` tokens. They run once the losses in sight,
    deficits that no reserves cover and debts beyond their collateral at the market's prices, are
    ``loss_bps`` of all that is lent, or the asset's utilisation is ``utilisation_bps`` (0 switches
    either off), or `Withdrawal` has them leave in a fall. Then they ask for their claims, as far as
    the market had cash in the last block, until nothing of theirs is left. Who comes late finds no
    cash, and asks again.
    """

    kind_name: ClassVar[str] = "supplier"
    name: Name
    venue: Name
    asset: Symbol
    supplied: Annotated[float, Range(0, 1e18, above=True)]
    count: Annotated[int, Range(1, 10_000)] = 1
    loss_bps: Bps = 0
    utilisation_bps: Bps = 0
    withdrawal: Withdrawal = _NO_WITHDRAWAL
    min_withdrawal: Amount = 0.0
    """Tokens below which they do not ask for a part of what is theirs."""
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 1.0
    bid: Bid = _BID
    outages: Outages = _NO_OUTAGES


@dataclass(frozen=True, slots=True)
class LiquidityProvider(Agent):
    """Providers of a share of a pool's liquidity who take it out in a fall.

    Together they have ``share_bps`` of the pool's liquidity at the start, in equal parts. Who has
    left (``withdrawal``, with a stated correlation) takes out ``removed_bps`` of its part, once.
    """

    kind_name: ClassVar[str] = "liquidity-provider"
    name: Name
    pool: Name
    share_bps: Annotated[int, Range(1, BPS)]
    withdrawal: Withdrawal
    removed_bps: Annotated[int, Range(1, BPS)] = BPS
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 1.0
    bid: Bid = _BID
    outages: Outages = _NO_OUTAGES


@dataclass(frozen=True, slots=True)
class StalePriceBorrower(Agent):
    """Borrowers who buy a collateral that a pooled lending market overprices, and borrow on it.

    With ``capital_usd`` each they buy ``collateral`` outside, supply it, borrow ``share_bps`` of
    what that allows in ``debt`` and sell it outside, all in one transaction, as soon as this brings
    ``min_gain_bps`` more than it costs: at 10,000 twice the money. They never repay. What it brings
    is kept, or with ``reinvests`` put up again.
    """

    kind_name: ClassVar[str] = "stale-price-borrower"
    name: Name
    venue: Name
    collateral: Symbol
    debt: Symbol
    capital_usd: Usd
    min_gain_bps: Annotated[int, Range(1, 1_000_000)] = 1000
    share_bps: Annotated[int, Range(1, BPS)] = 9_900
    reinvests: bool = False
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 1.0
    bid: Bid = _BID
    outages: Outages = _NO_OUTAGES


def supplied_to(scenario: Scenario, venue: str, symbol: str) -> float:
    """Tokens that those who may run have supplied to a market, together."""
    return sum(
        spec.supplied * spec.count
        for spec in scenario.agents_of(Supplier)
        if (spec.venue, spec.asset) == (venue, symbol)
    )
