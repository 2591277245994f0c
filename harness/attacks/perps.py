"""A perpetual exchange on the stage: its set-up, its claims, and what actors do there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.attacks.calls import Amount, Call, Located, address_of, approve, call
from harness.attacks.holdings import Holdings, VaultShares
from harness.attacks.stage import Actor, Stage
from harness.contracts import Contract
from harness.engine.base import Engine
from harness.errors import Reverted
from harness.people import ADMIN
from harness.scenario import base_units

__all__ = ["SHARE_PRICE_USD", "Perp", "PerpClaims", "open_exchange"]

RAY = 10**27
WAD = 10**18
BPS = 10_000
NO_CAP = (1 << 128) - 1
#: USD that the worth of up to a billion shares of the vault is uncertain by: prices have 8 decimals
SHARE_PRICE_USD = 10.0
NO_LIMIT = (1 << 127) - 1
ANY_PRICE = {True: (1 << 256) - 1, False: 0}


@dataclass
class PerpClaims:
    """An exchange: an account is worth its equity. What is missing is what nobody has paid for, and
    what the vault owes beyond what it has."""

    name: str
    exchange: Contract
    settlement: str

    def held(self, engine: Engine, accounts: Sequence[bytes]) -> list[Holdings]:
        """See `Claims.held`: of each address's cross-margined account 0; the exchange's own is the
        insurance fund. What cannot be priced while a feed is refused counts nothing."""
        found: list[Holdings] = []
        for who in accounts:
            try:
                equity = self.exchange.read(engine, "valuation", who + bytes(12))[0]
            except Reverted:
                equity = 0
            found.append({self.settlement: equity})
        return found

    def own(self, engine: Engine, accounts: Sequence[bytes]) -> Holdings:
        """See `Claims.own`."""
        return {
            self.settlement: -sum(held[self.settlement] for held in self.held(engine, accounts))
        }

    def written_off(self, engine: Engine) -> Holdings:
        """See `Claims.written_off`."""
        deficit = self.exchange.read(engine, "books")[4]
        try:
            equity = self.exchange.read(engine, "vaultEquity")
        except Reverted:
            equity = 0
        return {self.settlement: deficit + max(0, -equity)}


@dataclass(frozen=True)
class Perp:
    """A deployed exchange with one market, number 0, and its vault.

    decimals: of the settlement token
    """

    exchange: Contract
    vault: Contract
    token: Contract
    decimals: int

    @property
    def address(self) -> bytes:
        """The exchange's."""
        return self.exchange.address

    def word(self, who: Located | bytes) -> bytes:
        """An actor's cross-margined account."""
        return address_of(who) + bytes(12)

    def deposit(self, who: Located, amount: float) -> Call:
        """Margin, whole tokens."""
        units = base_units(amount, self.decimals)
        return call(self.exchange, "deposit", self.word(who), self.token, units)

    def withdraw(self, who: Located, amount: int | Amount) -> Call:
        """Margin, base units."""
        return call(self.exchange, "withdraw", self.word(who), self.token, amount, who)

    def trade(self, who: Located, size: float) -> Call:
        """Buys (above zero) or sells whole units at any price."""
        limit = ANY_PRICE[size > 0]
        return call(self.exchange, "trade", self.word(who), 0, base_units(size, 18), limit)

    def liquidate(self, who: Located) -> Call:
        """Liquidates, or has taken over."""
        return call(self.exchange, "liquidate", self.word(who), 0)

    def equity(self, stage: Stage, who: Located) -> int:
        """Of an account, base units; Reverted where the feed is refused."""
        found: int = stage.read(self.exchange, "valuation", self.word(who))[0]
        return found

    def initial_margin(self, stage: Stage, who: Located) -> int:
        """Of an account, base units."""
        found: int = stage.read(self.exchange, "valuation", self.word(who))[3]
        return found


def open_exchange(
    stage: Stage,
    name: str,
    settlement: str,
    feed: Contract,
    *,
    provider: Actor,
    vault: float,
    initial_bps: int = 1_000,
    maintenance_bps: int = 500,
    market: Mapping[str, Any] | None = None,
    risk: Mapping[str, Any] | None = None,
) -> Perp:
    """Deploys an exchange with one market and a vault that ``provider`` pays into (whole tokens).

    No fees, premium, funding, caps or guards unless ``market`` (fields of `MarketConfig`, in snake
    case) or ``risk`` (of `RiskConfig`) say so. The vault's shares are the token ``LV``.
    """
    token = stage.tokens[settlement]
    parts = [stage.deploy(part) for part in ("PerpAdmin", "PerpLiquidation")]
    router = stage.deploy("ForcedTradeRouter", ADMIN)
    exchange = stage.deploy("PerpExchange", ADMIN, token, bytes(20), router, *parts)
    shares = stage.deploy("LiquidityVault", exchange)
    stage.admin(exchange, "setVault", shares)
    rules = {
        "withdraw_floor_bps": 0,
        "withdraw_profit": True,
        "backstop_bps": 0,
        "fee_vault_bps": 6_000,
        "fee_insurance_bps": 3_000,
        "keeper_fee": 0,
        "vault_floor": 0,
        "vault_lock_bps": 0,
    }
    stage.admin(exchange, "setRiskConfig", tuple(_over(rules, risk).values()))
    terms = {
        "feed": feed.address,
        "max_age": 0,
        "min_answer": 0,
        "max_answer": NO_LIMIT,
        "skew_scale": 10**38,
        "long_cap": NO_CAP,
        "short_cap": NO_CAP,
        "maker_fee_pips": 0,
        "taker_fee_pips": 0,
        "premium_bound_bps": 0,
        "premium_decay_ray": RAY,
        "funding_slope_wad": 0,
        "interest_wad": 0,
        "funding_cap_wad": WAD,
        "liquidation_fee_bps": 0,
        "liquidator_share_bps": 5_000,
        "cooldown": 30,
        "partial_steps": 0,
        "step_window": 3_600,
        "band_bps": 0,
        "band_decay_ray": RAY,
        "volatility_target_wad": 0,
        "volatility_decay_ray": RAY,
        "open_interest_slope_bps": 0,
        "scale_cap_bps": 3 * BPS,
    }
    call_bps = (initial_bps + maintenance_bps) // 2
    tier = (NO_CAP, initial_bps, call_bps, maintenance_bps, BPS)
    stage.admin(exchange, "listMarket", tuple(_over(terms, market).values()), [tier])
    perp = Perp(exchange, shares, token, stage.decimals[settlement])
    stage.venues.append(PerpClaims(name, exchange, settlement))
    _count_shares(stage, perp, settlement)
    units = stage.units(settlement, vault)
    stage.prepare(
        provider, approve(token, shares), call(shares, "deposit", units, provider.address)
    )
    return perp


def _count_shares(stage: Stage, perp: Perp, settlement: str) -> None:
    """The vault's shares as a token, worth what the vault's equity is."""
    stage.adopt("LV", perp.vault, None, stage.decimals[settlement])
    stage.venues.append(VaultShares("vault", perp.vault, "LV"))

    def price() -> int:
        supply = stage.read(perp.vault, "totalSupply")
        worth = stage.read(perp.vault, "totalAssets") * stage.prices[settlement]
        value: int = worth // supply if supply else 0
        return value

    stage.derive_price("LV", price)


def _over(known: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Known fields in their order, with those given in their place."""
    values = {**known, **(given or {})}
    if len(values) != len(known):
        raise ValueError(f"known fields are {', '.join(known)}")
    return values
