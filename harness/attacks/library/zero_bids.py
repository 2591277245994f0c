"""Maker, 12-13 March 2020: auctions with a single bidder, who bids next to nothing.

The vaults' collateral goes to English auctions. Bids won after ten minutes, and in those ten
minutes the other keepers' transactions were not included. A Dutch auction asks a price from the
start: being alone makes nothing cheaper than its price curve, and late keepers still find it
running.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from harness.attacks.calls import MAX, Call, call
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Actor, Stage
from harness.contracts import Contract
from harness.people import ADMIN

WAD = 10**18
RAY = 10**27
#: English auctions: smallest increase, seconds until a bid wins, seconds until bidding ends
ENGLISH = (103 * WAD // 100, 600, 21_600)
#: Dutch: starting price over the oracle's, tail, cusp, chip, tip
DUTCH = (12 * RAY // 10, 5_400, 4 * RAY // 10, 0, 0)
PENALTY_BPS = 11_300


@dataclass(frozen=True)
class Thursday(Parameters):
    """ETH and USD.

    eth: of all vaults whose auctions ended at zero: the $8.32M reported, at oracle_usd
    vaults: how many they are here; on the day lots were of 50 ETH
    start_usd, oracle_usd: price before, and that at which they were liquidated
    ratio_bps: collateral a vault needs for its debt
    stalled_s: how long the others' transactions are not included
    """

    eth: float = 62_842.0
    vaults: int = 16
    start_usd: float = 200.0
    oracle_usd: float = 132.4
    ratio_bps: int = 15_000
    stalled_s: int = 1_260


def play(stage: Stage, p: Thursday) -> Generator[int | None, None, None]:
    """Puts every vault up for auction, bids while nobody else can, and takes the collateral."""
    eth, dai = stage.token("ETH", p.start_usd), stage.token("DAI", 1)
    feed = stage.feed("ETH")
    stage.feed("DAI")
    threshold = 10**8 // p.ratio_bps
    market = stage.lending(
        "market",
        {"ETH": {"ltv": threshold, "threshold": threshold}, "DAI": {}},
        module=lambda made: _dutch(stage, made) if p.remedied else _english(stage, made),
    )
    auction = stage.modules["market"]
    each = p.eth / p.vaults
    # a little more than the ratio allows at the oracle's later price
    debt = round(each * p.oracle_usd * 10_000 / p.ratio_bps * 1.001, 6)
    stage.supplier("lenders", market, role="bystander", DAI=debt * p.vaults)
    vaults = []
    for number in range(p.vaults):
        vault = stage.supplier(f"vault-{number + 1:02}", market, ETH=each)
        stage.position(vault, market, borrowed={"DAI": debt})
        vaults.append(vault)
    attacker = stage.actor("attacker", DAI=1)
    keeper = stage.actor("keeper", "bystander", DAI=2 * debt * p.vaults)
    stage.approve(attacker, ["DAI"], auction)
    stage.approve(keeper, ["DAI"], auction)
    stage.price("ETH", p.oracle_usd)
    trigger = _configure(stage, p, auction, eth, dai, each)
    yield None

    stage.push(feed, p.oracle_usd)
    yield None
    part = _DutchSteps if p.remedied else _EnglishSteps
    yield from part(stage, auction, trigger, eth, dai, p.stalled_s).run(vaults, attacker, keeper)


def _english(stage: Stage, market: Contract) -> Contract:
    return stage.deploy("EnglishAuction", ADMIN, market, ENGLISH)


def _dutch(stage: Stage, market: Contract) -> Contract:
    curve = stage.deploy("StairstepExponentialDecrease", 60, RAY // 100)
    return stage.deploy("DutchAuction", ADMIN, market, curve, DUTCH)


def _configure(
    stage: Stage, p: Thursday, auction: Contract, eth: Contract, dai: Contract, each: float
) -> Contract:
    """Terms of the auctions; who starts them."""
    if not p.remedied:
        stage.admin(auction, "setTerms", eth, stage.units("ETH", each), PENALTY_BPS)
        return auction
    hole = 10**9 * WAD
    trigger = stage.deploy("LiquidationTrigger", ADMIN, auction, hole, 1_000 * WAD)
    stage.admin(auction, "setTrigger", trigger)
    for asset in (eth, dai):
        stage.admin(trigger, "setLimits", asset, hole, PENALTY_BPS)
    return trigger


@dataclass(frozen=True)
class _Auctions:
    stage: Stage
    auction: Contract
    trigger: Contract
    eth: Contract
    dai: Contract
    stalled_s: int


class _EnglishSteps(_Auctions):
    def run(
        self, vaults: Sequence[Actor], attacker: Actor, keeper: Actor
    ) -> Generator[int | None, None, None]:
        """Kick, bid one base unit, wait until the bid has won, settle."""
        stage, sales = self.stage, range(1, len(vaults) + 1)
        kicks = [call(self.auction, "kick", vault, self.eth, self.dai) for vault in vaults]
        bids = [call(self.auction, "raiseBid", number, 1) for number in sales]
        stage.send("put every vault up for auction, bid one base unit", attacker, *kicks, *bids)
        yield None
        stage.censor(keeper, 1)
        stage.wait(ENGLISH[1])
        tabs = [stage.read(self.auction, "sale", number)[5] for number in sales]
        outbid = [
            call(self.auction, "raiseBid", n, tab) for n, tab in zip(sales, tabs, strict=True)
        ]
        stage.send("bid what is owed, too late", keeper, *outbid)
        yield None
        yield None
        settle = [call(self.auction, "settle", number, False) for number in sales]
        stage.send("take the collateral", attacker, *settle)
        yield None
        stage.measure("eth_taken", stage.balance("ETH", attacker) / WAD)


class _DutchSteps(_Auctions):
    def run(
        self, vaults: Sequence[Actor], attacker: Actor, keeper: Actor
    ) -> Generator[int | None, None, None]:
        """Trigger, ask for all of it at next to nothing; the others come as late as they did."""
        stage, sales = self.stage, range(1, len(vaults) + 1)
        start: list[Call] = [
            call(self.trigger, "trigger", vault, self.eth, self.dai, attacker) for vault in vaults
        ]
        stage.send("put every vault up for auction", attacker, *start)
        yield None
        stage.send(
            "take the collateral for one base unit", attacker, *self._takes(sales, 1, attacker)
        )
        stage.wait(self.stalled_s)
        yield None
        stage.send(
            "take what is left at the price of now", keeper, *self._takes(sales, MAX, keeper)
        )
        yield None
        stage.measure("eth_taken", stage.balance("ETH", attacker) / WAD)

    def _takes(self, sales: Sequence[int], most: int, to: Actor) -> list[Call]:
        return [call(self.auction, "take", n, MAX, most, to, False, b"") for n in sales]


ATTACK = Attack(
    name="zero-bids",
    title="auctions are won for nothing while other bidders are shut out",
    sources=("Maker, 12-13 March 2020 (Black Thursday)",),
    play=play,
    parameters=Thursday(),
    remedy="Dutch auctions, which start above the oracle's price",
    stopped_by="TooExpensive",
    protocol=(Check("profit", at_most=0), Check("insolvency", at_most=0)),
    goal=lambda p: Check("profit", at_least=p.eth * p.oracle_usd * 0.999),
    reported="$8.32M of ETH for nothing, a shortfall of 4.5-6.65M DAI",
)
