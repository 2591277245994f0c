"""Who could not be paid once collaterals fall, and by whose losses, from the opening positions.

Vaults make venues each other's debtors: a market owes a vault what it supplied, the vault owes its
shareholders what it has, and an account that has shares as collateral owes its market out of them.
Payments that fit together are a clearing vector of that network, p = min(pbar, Pi' p + e): L.
Eisenberg, T. Noe, Systemic risk in financial systems, Management Science 47 (2001). Firms are

- each side of a market, the lent side of one asset: it owes vaults their claims and everybody else
  the rest of them, and has its cash and what its debtors pay;
- each vault: it owes every share its part of what the vault has at the start;
- each account with shares as collateral and a debt: it owes its debt, each asset in proportion, and
  has its other collateral beside the shares. Which of them is sold first makes no difference;
- one more for everybody outside, who owes nothing.

Accounts without shares pay the smaller of their debt and what their collateral is worth.

Amounts are USD at the start prices. The fall takes collateral to the lowest outside prices of the
run without feedback, of all assets together, in proportion to those of the debts; shares fall with
their vault's asset, and by what the vault loses. (Where a debt falls further than the asset of a
vault, shares are not worth more of it than before.) Claims on a market itself that are collateral
in it are good in full, as in its contract. What no clearing vector can know:

- it has no time: prices fall in one step. Accounts that are liquidated on the way, or between two
  losses of their vault, fetch more, in a slow fall most of it;
- nobody is first: debtors pay all creditors in proportion, and there is cash to redeem shares with;
- a deficit lowers no claim on a pooled market in the contracts: there the loss is that of whoever
  is left in the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from harness.metrics.interconnection import Prediction, opening_balances
from harness.risk.network import Debts, Floats, clearing_vector
from harness.run import RunResult
from harness.scenario import BPS, PRICE_UNIT, IsolatedLending
from harness.scenario.venues import Lending


class Side(NamedTuple):
    """The lent side of an asset in a market."""

    market: str
    asset: str


@dataclass(frozen=True, slots=True)
class ShareAccount:
    """A debtor who has shares of vaults.

    Attributes:
        owed: its debt, by side
        means: what the rest of its collateral pays
        shares: what its shares pay while vaults lose nothing, by vault
    """

    owed: Mapping[Side, float]
    means: float
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ClaimsNetwork:
    """Debts between markets, vaults and accounts with shares, USD.

    Attributes:
        claims: what each side owes in all
        means: what each side has of its own: cash, and what accounts without shares pay
        lent: claims of each vault, by side
        idle: what each vault has beside them
        accounts: debtors with shares
    """

    claims: Mapping[Side, float]
    means: Mapping[Side, float]
    lent: Mapping[str, Mapping[Side, float]]
    idle: Mapping[str, float]
    accounts: Sequence[ShareAccount]

    def without(self, market: str) -> ClaimsNetwork:
        """The network in which vaults have in cash what they are owed by a market, so that nothing
        it loses reaches them: its claims link cut."""
        kept = {
            vault: {side: amount for side, amount in parts.items() if side.market != market}
            for vault, parts in self.lent.items()
        }
        freed = {v: sum(parts.values()) - sum(kept[v].values()) for v, parts in self.lent.items()}
        idle = {vault: amount + freed[vault] for vault, amount in self.idle.items()}
        return replace(self, lent=kept, idle=idle)

    def losses(self) -> dict[str, float]:
        """What the lenders of each market are not paid, by the greatest clearing vector."""
        sides, vaults = list(self.claims), list(self.lent)
        number: dict[Side | str, int] = {side: place for place, side in enumerate(sides)}
        number |= {vault: place for place, vault in enumerate(vaults, len(sides))}
        outside = len(number) + len(self.accounts)
        worth = {v: self.idle[v] + sum(self.lent[v].values()) for v in vaults}
        debts: list[tuple[int, int, float]] = []
        rest = {number[side]: self.claims[side] for side in sides}
        rest |= {number[vault]: worth[vault] for vault in vaults}
        external = np.zeros(outside + 1)

        def owes(debtor: int, creditor: int, amount: float) -> None:
            debts.append((debtor, creditor, amount))
            if debtor in rest:
                rest[debtor] -= amount

        for side in sides:
            external[number[side]] = self.means[side]
        for vault in vaults:
            external[number[vault]] = self.idle[vault]
            for side, amount in self.lent[vault].items():
                owes(number[side], number[vault], amount)
        for place, account in enumerate(self.accounts, len(number)):
            external[place] = account.means
            for side, amount in account.owed.items():
                owes(place, number[side], amount)
            for vault, amount in account.shares.items():
                owes(number[vault], place, amount)
        # what nobody here is owed is owed to others; roundings down may leave a little less
        debts += [(debtor, outside, max(0.0, amount)) for debtor, amount in rest.items()]
        listed = Debts(
            np.array([d for d, _, _ in debts], dtype=np.intp),
            np.array([c for _, c, _ in debts], dtype=np.intp),
            np.array([a for _, _, a in debts], dtype=np.float64),
        )
        paid = clearing_vector(listed, external)
        found = dict.fromkeys((side.market for side in sides), 0.0)
        for side in sides:
            found[side.market] += max(0.0, self.claims[side] - float(paid[number[side]]))
        return found


def clearing_predictions(result: RunResult) -> dict[str, Prediction]:
    """Losses of market j that come by claims on market i, after the fall of all collaterals: j's
    loss less that in the network without i's link, as entries of the simulated matrix are a run's
    less those of a run without. Empty where there is no vault.

    What i's fall alone would do to j is no measure of that: accounts bear the first losses of their
    shares by themselves, so that two markets' losses together may be far more than one's and the
    other's.

    ``clearing`` takes collateral at its worth: what is missing if nobody is paid for liquidating.
    ``costly_clearing`` takes off what is: of an account's means in default 1/(1 + bonus) is left,
    alpha and beta of L. C. G. Rogers, L. A. M. Veraart, Failure and rescue in an interbank network,
    Management Science 59 (2013), by account and collateral; the bonus is the listed one, whatever
    the market's design. Accounts default as soon as what is left does not cover the debt, not only
    where their whole means do not, since contracts liquidate them before; a firm's payments are
    then continuous, and are those of Eisenberg and Noe on means less costs. That holds for a
    threshold x (1 + bonus) of less than 1; beyond, accounts count that a market leaves alone.
    """
    if not result.world.vaults:
        return {}
    names = list(result.world.venues)
    found = {}
    for measure, costly in (("clearing", False), ("costly_clearing", True)):
        network = claims_network(result, costly=costly)
        losses = network.losses()
        apart = {i: network.without(i).losses() for i in names}
        found[measure] = Prediction(
            "claims",
            {i: {j: max(0.0, losses[j] - apart[i][j]) for j in names} for i in names},
        )
    return found


def claims_network(result: RunResult, *, costly: bool) -> ClaimsNetwork:
    """The network of a run's first block with prices at their lowest.

    costly: whether liquidators take their bonus
    """
    world, first = result.world, result.run.blocks[0]
    prices = {symbol: price / PRICE_UNIT for symbol, price in first.external.items()}
    low = {symbol: min(path) / PRICE_UNIT for symbol, path in result.paths.items()}
    lent, idle, rate = _vaults(result, prices)
    claims: dict[Side, float] = {}
    means: dict[Side, float] = {}
    accounts: list[ShareAccount] = []
    for market, venue in world.venues.items():
        symbols = venue.assets
        now = np.array([prices[s] for s in symbols])
        then = np.array([low[s] for s in symbols])
        kept = 1 / _factors(venue.spec) if costly else np.ones(len(symbols))
        held, borrowed = opening_balances(result, market)
        debts = borrowed * now
        owed, owed_then = debts.sum(axis=1), (borrowed * then).sum(axis=1)
        relief = np.divide(owed, owed_then, out=np.ones_like(owed), where=owed_then > 0)
        is_share = np.array([s in world.vault_of for s in symbols])
        other = (held * then * kept)[:, ~is_share].sum(axis=1) * relief
        with_shares = (owed > 0) & (held[:, is_share] > 0).any(axis=1)
        part = np.divide(
            np.minimum(owed, other), owed, out=np.zeros_like(owed), where=(owed > 0) & ~with_shares
        )
        paid = (debts * part[:, None]).sum(axis=0)
        states = first.venues[market].states
        for place, symbol in enumerate(symbols):
            side, unit = Side(market, symbol), world.units[symbol] / prices[symbol]
            claims[side] = states[place].total_claims / unit
            means[side] = states[place].cash / unit + float(paid[place])
        for row in np.flatnonzero(with_shares):
            shares = {}
            for place, s in enumerate(symbols):
                if is_share[place] and held[row, place]:
                    vault = world.vault_of[s].spec
                    fall = min(1.0, low[vault.asset] / prices[vault.asset] * float(relief[row]))
                    worth = float(held[row, place]) * rate[s] * fall
                    shares[vault.name] = worth * float(kept[place])
            due = {Side(market, s): float(debts[row, p]) for p, s in enumerate(symbols)}
            due = {side: amount for side, amount in due.items() if amount}
            accounts.append(ShareAccount(due, float(other[row]), shares))
    return ClaimsNetwork(claims, means, lent, idle, accounts)


def _vaults(
    result: RunResult, prices: Mapping[str, float]
) -> tuple[dict[str, dict[Side, float]], dict[str, float], dict[str, float]]:
    """Claims of vaults and what they have idle, and a share's part of both by its symbol, USD."""
    world, wallets = result.world, result.run.opening_wallets
    if wallets is None:
        raise ValueError("the run was not recorded to its end")
    lent: dict[str, dict[Side, float]] = {}
    idle: dict[str, float] = {}
    rate: dict[str, float] = {}
    for name, vault in world.vaults.items():
        asset, share = vault.spec.asset, vault.spec.share
        unit = world.units[asset] / prices[asset]
        lent[name] = {}
        for market, strategy in zip(vault.markets, vault.strategies, strict=True):
            venue = world.venues[market]
            row = venue.suppliers.index(strategy.address) * len(venue.assets)
            word = wallets.suppliers[market][row + venue.assets.index(asset)]
            lent[name][Side(market, asset)] = (word >> 128) / unit
        at = world.holders.index(vault.vault.address)
        idle[name] = wallets.tokens[asset][at] / unit
        shares = sum(wallets.tokens[share]) / world.units[share]
        rate[share] = (idle[name] + sum(lent[name].values())) / shares
    return lent, idle, rate


def _factors(market: Lending) -> Floats:
    """1 + bonus of each asset; an isolated market's is not rounded to a basis point."""
    if isinstance(market, IsolatedLending):
        return np.array([1 + float(market.bonus), 1.0])
    return np.array([1 + listed.liquidation_bonus_bps / BPS for listed in market.assets])


__all__ = ["ClaimsNetwork", "ShareAccount", "Side", "claims_network", "clearing_predictions"]
