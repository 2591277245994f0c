"""A run directory's tables, in the units that people read: USD, tokens, block times.

Amounts become floating-point numbers here; the exact integers stay in the directory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ScenarioError
from harness.results import SCENARIO, SUMMARY
from harness.scenario import (
    PRICE_UNIT,
    WAD,
    PerpExchange,
    Scenario,
    Vault,
    load_scenario,
    pools_of_shares,
)
from harness.verify import check_files

_NOT_AGENTS = frozenset({"setup", "builder", "publisher"})
_GWEI = 10**9


class Price(NamedTuple):
    """An asset's prices at the end of each block (USD).

    path: the price before anybody in the scenario trades
    outside, twin_outside: the outside market's, with forced trades moving it and without
    feed, twin_feed: what the venues are told; empty where there is no feed, None before a first
        report
    """

    path: list[float]
    outside: list[float]
    twin_outside: list[float]
    feed: list[float | None]
    twin_feed: list[float | None]


@dataclass(frozen=True)
class Pass:
    """A venue, or all of them, at the end of each block of the run or of its twin; USD."""

    bad_debt: list[float]
    shortfall: list[float]
    unhealthy: list[int]
    called: list[int]

    @property
    def insolvency(self) -> list[float]:
        """Bad debt and market shortfall together."""
        return [a + b for a, b in zip(self.bad_debt, self.shortfall, strict=True)]


class Carried(NamedTuple):
    """A deficit at the end of each block, at the outside prices of that block: what the reserves
    of its asset cover, and what falls to its suppliers; USD."""

    by_reserves: list[float]
    by_suppliers: list[float]


class Liquidation(NamedTuple):
    """A liquidation; USD at the market's prices."""

    block: int
    venue: str
    account: int
    liquidator: str
    collateral: str
    debt: str
    wave: int
    cause: str
    repaid: float
    seized: float


class Taking(NamedTuple):
    """What a liquidation, or a sale by a module, was to whoever did it: who bought at auction has
    repaid and got the collateral, who began it has the market's reward.

    began: how many liquidations it began, 0 or 1
    profit: USD before fees: proceeds beyond the repayment at the outside price of the block,
        rewards, and at the last one what is kept
    """

    who: str
    began: int
    repaid: float
    seized: float
    profit: float


class Sent(NamedTuple):
    """A transaction of an agent, or an order that never became one. ``waited``: blocks between
    the first that could have held it and the one that did, or in which it was given up."""

    block: int
    agent: str
    action: str
    status: str
    reason: str
    waited: int
    fee: float


@dataclass
class Position:
    """An account before and after; USD at the feeds' prices of the first and the last block."""

    venue: str
    account: int
    name: str
    response: str
    health_before: float | None
    health_after: float | None
    liquidated: int | None
    twin_liquidated: int | None
    collateral_before: float = 0.0
    debt_before: float = 0.0
    collateral_after: float = 0.0
    debt_after: float = 0.0
    collateral: list[str] = field(default_factory=list)
    debt: list[str] = field(default_factory=list)


class Edge(NamedTuple):
    """A step of the cascade; ``parent`` is the sale behind an oracle update that led on."""

    kind: str
    source: str
    target: str
    block: int
    venue: str
    asset: str
    parent: str


class Loss(NamedTuple):
    """What a role gained or lost of an asset: tokens and USD; without an asset, unpaid debt."""

    venue: str
    role: str
    asset: str
    amount: float
    usd: float


class ExchangePath(NamedTuple):
    """An exchange at the end of each block: mark / index - 1 of each market, None while a feed is
    refused, and the equity of insurance fund and vault (USD)."""

    premiums: Mapping[str, list[float | None]]
    insurance: list[float]
    vault: list[float | None]


class VaultPath(NamedTuple):
    """A vault at the end of each block: what all its shares are worth, and what of it could be
    paid out, and a share's price in its pool, where there is one; USD at the outside prices of the
    block."""

    assets: list[float]
    liquidity: list[float]
    quoted: list[float] | None = None


@dataclass(frozen=True)
class Run:
    """Everything the page shows."""

    manifest: Mapping[str, Any]
    summary: Mapping[str, Any]
    scenario: Scenario
    scenario_text: str
    times: list[int]
    prices: Mapping[str, Price]
    venues: Mapping[str, tuple[Pass, Pass]]
    carried: Carried
    exchanges: Mapping[str, ExchangePath]
    vaults: Mapping[str, VaultPath]
    waiting: list[int]
    background_bid: list[float]
    liquidations: Sequence[Liquidation]
    twin_liquidations: Sequence[Liquidation]
    takings: Sequence[Taking]
    sent: Sequence[Sent]
    positions: Sequence[Position]
    cascade: Sequence[Edge]
    losses: Sequence[Loss]

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.scenario.title.strip() or self.scenario.name

    @cached_property
    def total(self) -> tuple[Pass, Pass]:
        """All venues together, of the run and of its twin."""
        passes = list(self.venues.values())
        return _together([run for run, _ in passes]), _together([twin for _, twin in passes])

    @cached_property
    def group_of(self) -> Callable[[str], str]:
        """The scenario's name for an agent: liquidators of one kind count as one, in each of the
        venues that they serve (``name-number@venue``)."""
        kinds = {agent.name: agent.count for agent in self.scenario.agents}

        def group(agent: str) -> str:
            name, at, venue = agent.partition("@")
            kind, _, number = name.rpartition("-")
            return kind + at + venue if number.isdigit() and kinds.get(kind, 1) > 1 else agent

        return group

    def count_of(self, group: str) -> int:
        """How many agents a group has."""
        kind = group.partition("@")[0]
        return next((agent.count for agent in self.scenario.agents if agent.name == kind), 1)


def load_run(path: Path) -> Run:
    """Reads a run directory.

    Raises ScenarioError if it is not that of a complete, unchanged run of this version.
    """
    manifest = check_files(path)
    try:
        return _run(path, manifest)
    except KeyError as error:
        allowed = f"a run of this version: run it again (there is no {error.args[0]})"
        raise ScenarioError("run directory", str(path), allowed) from error


def _run(path: Path, manifest: Mapping[str, Any]) -> Run:
    scenario = load_scenario(path / SCENARIO)
    units = {asset.symbol: 10**asset.decimals for asset in scenario.assets}
    blocks = _columns(path, "blocks")
    setup = sum(index is None for index in blocks["index"])
    blocks = {name: values[setup:] for name, values in blocks.items()}
    prices = {symbol: _price(symbol, blocks) for symbol in _names(blocks, r"path\.(\w+)")}
    liquidations = _liquidations(path)
    return Run(
        manifest=manifest,
        summary=json.loads((path / SUMMARY).read_text("utf-8")),
        scenario=scenario,
        scenario_text=(path / SCENARIO).read_text("utf-8"),
        times=blocks["timestamp"],
        prices=prices,
        venues={
            name: (_pass(blocks, f"venue.{name}"), _pass(blocks, f"twin.venue.{name}"))
            for name in _names(blocks, r"venue\.([\w-]+)\.bad_debt")
        },
        carried=_carried(blocks, prices, units),
        exchanges={
            spec.name: _exchange(spec, blocks, prices, units)
            for spec in scenario.venues_of(PerpExchange)
        },
        vaults={
            spec.name: _vault(
                spec,
                blocks,
                prices,
                units,
                next((p.name for p in pools_of_shares(scenario) if p.base == spec.share), None),
            )
            for spec in scenario.venues_of(Vault)
        },
        waiting=blocks["waiting"],
        background_bid=[bid / _GWEI for bid in blocks["background_bid"]],
        liquidations=liquidations["run"],
        twin_liquidations=liquidations["twin"],
        takings=_takings(path, prices, units, "sales.parquet" in manifest["files"]),
        sent=_sent(path, blocks["number"][0], units.get(scenario.block_space.fee_asset, WAD)),
        positions=_positions(path, prices, units),
        cascade=_cascade(path),
        losses=_losses(path, units),
    )


def _cascade(path: Path) -> list[Edge]:
    rows = _columns(path, "cascade")
    names = ("kind", "source", "target", "block", "venue", "asset", "parent")
    return [Edge(*values) for values in zip(*(rows[name] for name in names), strict=True)]


def _losses(path: Path, units: Mapping[str, int]) -> list[Loss]:
    rows = _columns(path, "losses")
    names = ("venue", "role", "asset", "amount", "usd")
    return [
        Loss(venue, role, asset, int(amount) / _unit(asset, units), int(usd) / WAD)
        for venue, role, asset, amount, usd in zip(*(rows[name] for name in names), strict=True)
    ]


def _unit(asset: str, units: Mapping[str, int]) -> int:
    """Base units of a whole token; unpaid debt is in USD WAD, outside cash has 6 decimals."""
    return WAD if not asset else units.get(asset, 10**6)


def _columns(path: Path, table: str, names: list[str] | None = None) -> dict[str, list[Any]]:
    import pyarrow.parquet as pq

    content: dict[str, list[Any]] = pq.read_table(
        path / f"{table}.parquet", columns=names
    ).to_pydict()
    return content


def _rows(path: Path, table: str, names: list[str]) -> Iterable[tuple[Any, ...]]:
    columns = _columns(path, table, names)
    return zip(*(columns[name] for name in names), strict=True)


def _names(blocks: Mapping[str, Any], pattern: str) -> list[str]:
    """What a pattern captures in the names of columns, in their order."""
    matches = (re.fullmatch(pattern, name) for name in blocks)
    return [match[1] for match in matches if match]


def _usd(amounts: Iterable[Any], scale: int = WAD) -> list[float]:
    return [int(amount) / scale for amount in amounts]


def _price(symbol: str, blocks: Mapping[str, list[Any]]) -> Price:
    def fed(name: str) -> list[float | None]:
        return [int(value) / WAD if value else None for value in blocks.get(name, ())]

    return Price(
        path=_usd(blocks[f"path.{symbol}"], PRICE_UNIT),
        outside=_usd(blocks[f"external.{symbol}"], PRICE_UNIT),
        twin_outside=_usd(blocks[f"twin.external.{symbol}"], PRICE_UNIT),
        feed=fed(f"feed.{symbol}"),
        twin_feed=fed(f"twin.feed.{symbol}"),
    )


def _pass(blocks: Mapping[str, list[Any]], prefix: str) -> Pass:
    none = [0] * len(blocks["index"])
    return Pass(
        bad_debt=_usd(blocks[f"{prefix}.bad_debt"]),
        shortfall=_usd(blocks[f"{prefix}.shortfall_market"]),
        unhealthy=blocks.get(f"{prefix}.unhealthy", none),
        called=blocks.get(f"{prefix}.called", none),
    )


def _together(passes: Sequence[Pass]) -> Pass:
    def added(name: str) -> list[Any]:
        return [sum(values) for values in zip(*(getattr(p, name) for p in passes), strict=True)]

    return Pass(added("bad_debt"), added("shortfall"), added("unhealthy"), added("called"))


def _carried(
    blocks: Mapping[str, list[Any]], prices: Mapping[str, Price], units: Mapping[str, int]
) -> Carried:
    length = len(blocks["index"])
    covered, uncovered = [0.0] * length, [0.0] * length
    for venue, symbol in _deficits(blocks):
        prefix = f"venue.{venue}.{symbol}"
        amounts = zip(blocks[f"{prefix}.deficit"], blocks[f"{prefix}.reserves"], strict=True)
        for place, (deficit, reserves) in enumerate(amounts):
            usd = prices[symbol].outside[place] / units[symbol]
            borne = min(int(deficit), int(reserves))
            covered[place] += borne * usd
            uncovered[place] += (int(deficit) - borne) * usd
    return Carried(covered, uncovered)


def _exchange(
    spec: PerpExchange,
    blocks: Mapping[str, list[Any]],
    prices: Mapping[str, Price],
    units: Mapping[str, int],
) -> ExchangePath:
    base = f"exchange.{spec.name}"

    def usd(field: str) -> list[float | None]:
        each = zip(blocks[f"{base}.{field}"], prices[spec.settlement].outside, strict=True)
        unit = units[spec.settlement]
        return [None if amount is None else int(amount) / unit * price for amount, price in each]

    premiums = {
        market.symbol: [
            int(mark) / int(index) - 1 if index else None
            for mark, index in zip(
                blocks[f"{base}.{market.symbol}.mark_wad"],
                blocks[f"{base}.{market.symbol}.index_wad"],
                strict=True,
            )
        ]
        for market in spec.markets
    }
    fund = [amount or 0.0 for amount in usd("insurance_equity")]
    return ExchangePath(premiums, fund, usd("vault_equity"))


def _vault(
    spec: Vault,
    blocks: Mapping[str, list[Any]],
    prices: Mapping[str, Price],
    units: Mapping[str, int],
    pool: str | None,
) -> VaultPath:
    def usd(name: str) -> list[float]:
        amounts = blocks[f"vault.{spec.name}.{name}"]
        return [
            int(amount) / units[spec.asset] * price
            for amount, price in zip(amounts, prices[spec.asset].outside, strict=True)
        ]

    quoted = None
    if pool is not None:
        sides = (blocks[f"pool.{pool}.{side}"] for side in ("base", "quote"))
        quoted = [
            int(assets) / int(shares) * price
            for shares, assets, price in zip(*sides, prices[spec.asset].outside, strict=True)
        ]
    return VaultPath(usd("assets"), usd("liquidity"), quoted)


def _deficits(blocks: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = (re.fullmatch(r"venue\.([\w-]+)\.(\w+)\.deficit", name) for name in blocks)
    return [(match[1], match[2]) for match in found if match]


def _liquidations(path: Path) -> dict[str, list[Liquidation]]:
    names = ["pass", "block", "venue", "account", "liquidator", "collateral", "debt", "wave"]
    names += ["cause", "repaid_usd", "seized_usd"]
    found: dict[str, list[Liquidation]] = {"run": [], "twin": []}
    for row in _rows(path, "liquidations", names):
        usd = (int(amount) / WAD for amount in row[9:])
        found[row[0]].append(Liquidation._make((*row[1:9], *usd)))
    return found


def _takings(
    path: Path, prices: Mapping[str, Price], units: Mapping[str, int], modules: bool
) -> list[Taking]:
    """What each liquidation of the run was to whom; ``modules``: whether some sell later."""
    sales: dict[int, list[dict[str, Any]]] = {}
    for sale in _of_run(path, "sales") if modules else ():
        if not sale["by_depositor"]:
            sales.setdefault(sale["liquidation"], []).append(sale)
    found = []
    for number, row in enumerate(_of_run(path, "liquidations"), 1):
        repaid, seized, reward = (
            int(row[name]) / WAD for name in ("repaid_usd", "seized_usd", "reward_usd")
        )
        outside, unit = prices[row["debt"]].outside, units[row["debt"]]
        who, later = row["liquidator"], sales.get(number, [])
        for sale in later:
            sold = sale["trade"] or sale["proceeds"]
            gain = int(sale["proceeds"] - sale["paid"]) / unit if sold else 0.0
            paid, bought = int(sale["paid_usd"]) / WAD, int(sale["bought_usd"]) / WAD
            found.append(Taking(sale["buyer"], 0, paid, bought, gain * outside[sale["block"]]))
        if row["depositors_usd"] or row["borrowers_usd"]:  # depositors paid, and have the rest
            found.append(Taking(f"deposits@{row['venue']}", 0, repaid, seized, 0.0))
        if later or row["depositors_usd"] or row["borrowers_usd"]:
            found.append(Taking(who, 1, 0.0, 0.0, reward))
            continue
        gain = 0.0
        if row["trade"] or row["proceeds"] or row["unsold"]:
            gain = int(row["proceeds"] - row["repaid"]) / unit * outside[row["block"]]
        if row["unsold"]:
            collateral = row["collateral"]
            gain += int(row["unsold"]) / units[collateral] * prices[collateral].outside[-1]
        found.append(Taking(who, 1, repaid, seized, gain + reward))
    return found


def _of_run(path: Path, table: str) -> list[dict[str, Any]]:
    """Rows of the run, without those of its twin."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path / f"{table}.parquet").to_pylist()
    return [row for row in rows if row.pop("pass") == "run"]


def _sent(path: Path, first: int, fee_unit: int) -> list[Sent]:
    names = ["block", "place", "agent", "action", "status", "reason", "available"]
    names += ["bid_wei", "declared_gas"]
    return [
        Sent(
            block=block - first,
            agent=agent,
            action=action,
            status=status,
            reason=reason,
            waited=block - first - available,
            fee=bid * gas / fee_unit if place >= 0 else 0.0,
        )
        for block, place, agent, action, status, reason, available, bid, gas in _rows(
            path, "transactions", names
        )
        if agent not in _NOT_AGENTS
    ]


def _positions(path: Path, prices: Mapping[str, Price], units: Mapping[str, int]) -> list[Position]:
    names = ["venue", "account", "population", "label", "response"]
    names += ["health_factor_before", "health_factor_after"]
    names += ["liquidated_block", "twin_liquidated_block", "asset"]
    names += ["claims_before", "debt_before", "claims_after", "debt_after"]
    found: dict[tuple[str, int], Position] = {}
    for row in _rows(path, "positions", names):
        venue, account, population, label, response, before, after, block, twin_block = row[:9]
        position = found.setdefault(
            (venue, account),
            Position(
                venue=venue,
                account=account,
                name=label or f"{population} {account}",
                response=response,
                health_before=None if before is None else int(before) / WAD,
                health_after=None if after is None else int(after) / WAD,
                liquidated=block,
                twin_liquidated=twin_block,
            ),
        )
        asset = row[9]
        amounts = [int(amount) / units[asset] for amount in row[10:]]
        start, end = valued_at(prices[asset], 0), valued_at(prices[asset], -1)
        position.collateral_before += amounts[0] * start
        position.debt_before += amounts[1] * start
        position.collateral_after += amounts[2] * end
        position.debt_after += amounts[3] * end
        if amounts[0]:
            position.collateral.append(asset)
        if amounts[1]:
            position.debt.append(asset)
    return list(found.values())


def valued_at(price: Price, block: int) -> float:
    """What venues value an asset at: the feed's price, or the outside one where none is told."""
    told = price.feed[block] if price.feed else None
    return price.outside[block] if told is None else told
