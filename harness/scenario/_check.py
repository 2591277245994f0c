"""Rules that tie the fields of a scenario together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.errors import ScenarioError
from harness.scenario._check_modules import check_modules
from harness.scenario._check_perps import check_exchanges
from harness.scenario._decode import require_built_in, require_known
from harness.scenario.agents import (
    Agent,
    Arbitrageur,
    Governor,
    Guardian,
    InventoryLiquidator,
    Lender,
    Liquidator,
)
from harness.scenario.assets import CASH, Asset, check_some
from harness.scenario.blocks import Outages
from harness.scenario.clearing import ClearingHouse, check_clearing
from harness.scenario.feeds import CappedFeed, CheckedFeed, Feed, MedianFeed, PoolTwapFeed, PushFeed
from harness.scenario.leavers import (
    LiquidityProvider,
    StalePriceBorrower,
    Supplier,
    supplied_to,
)
from harness.scenario.model import Scenario
from harness.scenario.names import check_names
from harness.scenario.perps import PerpExchange
from harness.scenario.populations import Borrowers, Positions, Response
from harness.scenario.prices import (
    Correlation,
    JumpDiffusionPrice,
    ReplayPrice,
    SchedulePrice,
)
from harness.scenario.sources import feed_sources, own, sources_read
from harness.scenario.units import BPS, RAY, rate_ray
from harness.scenario.vaults import Vault, check_vaults, lent_by_vaults, pools_of_shares
from harness.scenario.venues import IsolatedLending, Lending, LendingAsset, Pool, PooledLending

_MOST = 1e18
"""Tokens of any amount in a scenario."""

_DEPLOYED = (Pool, PooledLending, IsolatedLending, Vault, PerpExchange, ClearingHouse)
"""Kinds of venues that set-up has contracts for."""


def check(scenario: Scenario) -> tuple[str, ...]:
    """Warnings about a scenario. Raises ScenarioError where its fields contradict each other."""
    symbols = _unique([asset.symbol for asset in scenario.assets], "asset", "symbol")
    if not symbols:
        raise ScenarioError("asset", [], "at least one asset")
    for i, venue in enumerate(scenario.venues):
        require_built_in(venue, _DEPLOYED, f"venue[{i}]")
    _unique([venue.name for venue in scenario.venues], "venue", "name")
    _unique([population.name for population in scenario.populations], "population", "name")
    _unique([agent.name for agent in scenario.agents], "agent", "name")
    check_names(scenario)
    require_known(
        scenario.block_space.fee_asset,
        symbols,
        "block_space.fee_asset",
        "the symbol of the asset that fees are paid in",
    )
    _steps(scenario.block_space.background_bid_gwei, "block_space.background_bid_gwei")
    for i, asset in enumerate(scenario.assets):
        _check_asset(scenario, asset, f"asset[{i}]")
    feed_sources(scenario)
    for i, correlation in enumerate(scenario.correlations):
        _check_correlation(scenario, correlation, f"correlation[{i}]")
    warnings = list(_check_venues(scenario, symbols))
    warnings += _check_populations(scenario)
    _check_agents(scenario, symbols)
    check_vaults(scenario)
    check_modules(scenario)
    warnings += check_exchanges(scenario)
    warnings += check_clearing(scenario)
    return tuple(warnings)


def _unique(names: Sequence[str], array: str, key: str = "") -> tuple[str, ...]:
    """The names in an array of the file: of tables by this key, or of the names themselves."""
    for i, name in enumerate(names):
        if name in names[:i]:
            path = f"{array}[{i}].{key}" if key else f"{array}[{i}]"
            raise ScenarioError(path, name, "each only once")
    return tuple(names)


def _steps(steps: Sequence[tuple[int, float]], path: str) -> None:
    for i in range(1, len(steps)):
        if steps[i][0] <= steps[i - 1][0]:
            allowed = f"times that increase: above {steps[i - 1][0]}"
            raise ScenarioError(f"{path}[{i}][0]", steps[i][0], allowed)


def _windows(windows: Sequence[tuple[int, int]], path: str) -> None:
    for i, (start, end) in enumerate(windows):
        if end <= start:
            raise ScenarioError(f"{path}.windows[{i}][1]", end, f"an end after the start {start}")


def _check_asset(scenario: Scenario, asset: Asset, path: str) -> None:
    if asset.symbol == CASH:
        allowed = "another symbol: it is that of the cash for which outside markets trade"
        raise ScenarioError(f"{path}.symbol", asset.symbol, allowed)
    process = asset.price
    if isinstance(process, SchedulePrice):
        if not process.points:
            raise ScenarioError(f"{path}.price.points", [], "at least one [seconds, value]")
        _steps(process.points, f"{path}.price.points")
    if isinstance(process, ReplayPrice):
        _check_replay(scenario, process, f"{path}.price")
    elif asset.start_price_usd is None and not asset.is_share:
        raise ScenarioError(
            f"{path}.start_price_usd", None, "required, but for a replay or a share"
        )
    if asset.feed is not None:
        _check_feed(scenario, asset, asset.feed, f"{path}.feed")


def _check_feed(scenario: Scenario, asset: Asset, feed: Feed, path: str) -> None:
    """A feed that markets read, and the sources named within it, which markets may read, too."""
    _check_bounds(asset, feed, path)
    _check_source(scenario, feed, path)
    read = sources_read(scenario, asset.symbol)
    for name, source in own(feed):
        here = f"{path}.source.{name}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise ScenarioError(here, name, "a name of letters, digits, _ and -, at most 64")
        if name in read:
            _check_bounds(asset, source, here)
        for key in () if name in read else ("max_age_s", "min_answer_usd", "max_answer_usd"):
            if getattr(source, key, None) != getattr(PushFeed(), key):
                allowed = f"nothing: a market checks the feed it reads ({path}.{key})"
                raise ScenarioError(f"{here}.{key}", getattr(source, key, None), allowed)
        if own(source):
            raise ScenarioError(f"{here}.source", len(own(source)), f"nothing: name it in {path}")
        _check_source(scenario, source, here)


def _check_bounds(asset: Asset, feed: Feed, path: str) -> None:
    """What a market checks of a feed that it reads."""
    if not isinstance(feed, CheckedFeed):
        return
    if feed.max_answer_usd <= feed.min_answer_usd:
        allowed = f"above min_answer_usd {feed.min_answer_usd:g}"
        raise ScenarioError(f"{path}.max_answer_usd", feed.max_answer_usd, allowed)
    start = asset.start_price_usd
    if start is not None and not feed.min_answer_usd < start < feed.max_answer_usd:
        allowed = f"a start price within the bounds of the feed, not {start:g} at or beyond one"
        raise ScenarioError(path, (feed.min_answer_usd, feed.max_answer_usd), allowed)


def _check_source(scenario: Scenario, feed: Feed, path: str) -> None:
    """The fields of one feed, whoever reads it."""
    if isinstance(feed, PushFeed):
        _steps(feed.latency_steps, f"{path}.latency_steps")
    if isinstance(feed, PushFeed | PoolTwapFeed):
        _windows(feed.outages.windows, f"{path}.outages")
    if isinstance(feed, PoolTwapFeed):
        block = scenario.clock.seconds_per_block
        apart = -(-feed.spacing_s // block) * block
        if apart > feed.window_s:
            allowed = f"at least the time between two observations, in whole blocks {apart} s"
            raise ScenarioError(f"{path}.window_s", feed.window_s, allowed)
        if _time_of_setup(scenario) > scenario.clock.start:
            allowed = "less: set-up lets windows pass, and would begin before clock.start = 0"
            raise ScenarioError(f"{path}.window_s", feed.window_s, allowed)
    if isinstance(feed, CappedFeed):
        least = _time_of_setup(scenario)
        if not least <= feed.reference_age_s <= scenario.clock.start:
            allowed = (
                f"at least {least}, so that it is older than the set-up, and at most clock.start"
            )
            raise ScenarioError(f"{path}.reference_age_s", feed.reference_age_s, allowed)
    if isinstance(feed, MedianFeed):
        if not feed.read:
            raise ScenarioError(f"{path}.sources", [], "at least one source")
        if feed.quorum > len(feed.read):
            allowed = f"at most the {len(feed.read)} sources"
            raise ScenarioError(f"{path}.quorum", feed.quorum, allowed)


def _time_of_setup(scenario: Scenario) -> int:
    """Seconds that set-up takes at the most: it lets the longest window of an average pass, and
    once more for every pool of shares, and leaves a day for its blocks."""
    windows = [
        source.feed.window_s + source.feed.granularity
        for source in feed_sources(scenario)
        if isinstance(source.feed, PoolTwapFeed)
    ]
    return 86_400 + (1 + len(pools_of_shares(scenario))) * max(windows, default=0)


def _check_replay(scenario: Scenario, process: ReplayPrice, path: str) -> None:
    points = process.points
    if not points:
        raise ScenarioError(f"{path}.points", [], "at least one [time, price], or a file")
    for i in range(1, len(points)):
        if points[i][0] <= points[i - 1][0]:
            allowed = f"times that increase: after {points[i - 1][0]}"
            raise ScenarioError(f"{path}.points[{i}][0]", points[i][0], allowed)
        if process.max_gap_s and points[i][0] - points[i - 1][0] > process.max_gap_s:
            allowed = f"no gap above max_gap_s = {process.max_gap_s} after {points[i - 1][0]}"
            raise ScenarioError(f"{path}.points[{i}][0]", points[i][0], allowed)
    if points[0][0] > scenario.clock.start:
        allowed = f"a first price at or before clock.start = {scenario.clock.start}"
        raise ScenarioError(f"{path}.points[0][0]", points[0][0], allowed)
    last = scenario.clock.time(scenario.clock.blocks - 1)
    if points[-1][0] < scenario.clock.start or (
        process.max_gap_s and last - points[-1][0] > process.max_gap_s
    ):
        allowed = f"a last price that covers the clock, which ends at {last}"
        raise ScenarioError(f"{path}.points[{len(points) - 1}][0]", points[-1][0], allowed)


def _check_correlation(scenario: Scenario, correlation: Correlation, path: str) -> None:
    names = correlation.assets
    if len(names) < 2:
        raise ScenarioError(f"{path}.assets", list(names), "at least two assets")
    _unique(names, f"{path}.assets")
    for i, name in enumerate(names):
        moving = [a.symbol for a in scenario.assets if isinstance(a.price, JumpDiffusionPrice)]
        require_known(name, moving, f"{path}.assets[{i}]", "a jump-diffusion asset")
        for j, other in enumerate(scenario.correlations):
            if other is not correlation and name in other.assets:
                raise ScenarioError(f"{path}.assets[{i}]", name, f"not also in correlation[{j}]")
    if bool(correlation.matrix) == bool(correlation.loadings):
        raise ScenarioError(path, None, "either matrix or loadings")
    if correlation.loadings and len(correlation.loadings) != len(names):
        raise ScenarioError(
            f"{path}.loadings", list(correlation.loadings), f"{len(names)} numbers, one an asset"
        )
    rows = correlation.rows()
    for i, row in enumerate(rows):
        if len(row) != len(names) or len(rows) != len(names):
            raise ScenarioError(f"{path}.matrix", len(rows), f"{len(names)} rows of {len(names)}")
        if row[i] != 1.0:
            raise ScenarioError(f"{path}.matrix[{i}][{i}]", row[i], "1 on the diagonal")
        for j in range(i):
            if row[j] != rows[j][i]:
                raise ScenarioError(f"{path}.matrix[{i}][{j}]", row[j], "symmetric")
    if correlation.tail_degrees % 2:
        raise ScenarioError(f"{path}.tail_degrees", correlation.tail_degrees, "an even number")
    if cholesky(rows) is None:
        raise ScenarioError(path, "a matrix that is not positive semi-definite", "one that is")


def cholesky(rows: Sequence[Sequence[float]]) -> list[list[float]] | None:
    """Lower triangle L with L L' = rows; None if the matrix is not positive semi-definite.

    In plain IEEE arithmetic, so that it has the same bits on every machine.
    """
    size = len(rows)
    lower = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = rows[i][j]
            for k in range(j):
                rest -= lower[i][k] * lower[j][k]
            if i == j:
                if rest < -1e-9:
                    return None
                lower[i][i] = float(max(rest, 0.0) ** 0.5) if rest > 1e-12 else 0.0
            elif lower[j][j] > 0.0:
                lower[i][j] = rest / lower[j][j]
            elif abs(rest) > 1e-6:
                return None
    return lower


def _check_venues(scenario: Scenario, symbols: Sequence[str]) -> Iterator[str]:
    for i, venue in enumerate(scenario.venues):
        path = f"venue[{i}]"
        if isinstance(venue, Pool):
            require_known(venue.base, symbols, f"{path}.base", "an asset's symbol")
            require_known(venue.quote, symbols, f"{path}.quote", "an asset's symbol")
            if venue.base == venue.quote:
                raise ScenarioError(f"{path}.quote", venue.quote, f"not the base {venue.base}")
        if isinstance(venue, PooledLending):
            _unique([listed.symbol for listed in venue.assets], f"{path}.asset", "symbol")
            for j, listed in enumerate(venue.assets):
                here = f"{path}.asset[{j}]"
                _check_lendable(scenario, listed.symbol, f"{here}.symbol", symbols)
                if listed.source:
                    names = [name for name, _ in own(scenario.asset(listed.symbol).feed)]
                    allowed = f"a source within the feed of {listed.symbol}"
                    require_known(listed.source, names, f"{here}.source", allowed)
                yield from _check_listing(listed, here)
        if isinstance(venue, IsolatedLending):
            for key, symbol in (("collateral", venue.collateral), ("debt", venue.debt)):
                _check_lendable(scenario, symbol, f"{path}.{key}", symbols)
            if venue.collateral == venue.debt:
                raise ScenarioError(f"{path}.debt", venue.debt, f"not the collateral {venue.debt}")
            _check_kink(venue.kink, path)


def _check_lendable(scenario: Scenario, symbol: str, path: str, symbols: Sequence[str]) -> None:
    """An asset that a lending market can price and count."""
    require_known(symbol, symbols, path, "an asset's symbol")
    asset = scenario.asset(symbol)
    if asset.feed is None:
        raise ScenarioError(path, symbol, "an asset with a feed ([asset.feed])")
    if asset.decimals > 18:
        allowed = f"an asset of at most 18 decimals; {symbol} has {asset.decimals}"
        raise ScenarioError(path, symbol, allowed)


def _check_kink(kink: float, path: str) -> None:
    if not 0 < rate_ray(kink) < RAY:
        allowed = "at least 1e-27 and below 1: the rate rises beyond it"
        raise ScenarioError(f"{path}.kink", kink, allowed)


def _check_listing(listed: LendingAsset, path: str) -> Iterator[str]:
    if listed.ltv_bps > listed.liquidation_threshold_bps:
        raise ScenarioError(
            f"{path}.ltv_bps",
            listed.ltv_bps,
            f"at most liquidation_threshold_bps {listed.liquidation_threshold_bps}",
        )
    _check_kink(listed.kink, path)
    if listed.supply_cap is not None and listed.supplied > listed.supply_cap:
        raise ScenarioError(
            f"{path}.supplied", listed.supplied, f"at most supply_cap {listed.supply_cap:g}"
        )
    threshold, bonus = listed.liquidation_threshold_bps, listed.liquidation_bonus_bps
    if threshold * (BPS + bonus) >= BPS * BPS:
        yield (
            f"{path}.liquidation_bonus_bps = {bonus}: threshold {threshold / BPS:g} x (1 + bonus "
            f"{bonus / BPS:g}) = {threshold * (BPS + bonus) / BPS**2:g} is 1 or more, so every "
            f"liquidation lowers the health factor: the toxic bound on the threshold is "
            f"1/(1 + bonus) = {BPS / (BPS + bonus):.4f}"
        )


def _check_response(response: Response, path: str) -> None:
    if response.top_up_bps + response.deleverage_bps > BPS:
        allowed = f"with top_up_bps {response.top_up_bps} at most {BPS}"
        raise ScenarioError(f"{path}.deleverage_bps", response.deleverage_bps, allowed)
    if response.top_up_bps + response.deleverage_bps + response.move_bps > BPS:
        allowed = f"with top_up_bps and deleverage_bps at most {BPS}"
        raise ScenarioError(f"{path}.move_bps", response.move_bps, allowed)
    if response.target_health_factor < response.call_health_factor:
        raise ScenarioError(
            f"{path}.target_health_factor",
            response.target_health_factor,
            f"at least call_health_factor {response.call_health_factor:g}",
        )
    first, last = response.latency_blocks
    if last < first:
        raise ScenarioError(f"{path}.latency_blocks[1]", last, f"at least {first}")


def _check_holders(scenario: Scenario, population: Borrowers | Positions, path: str) -> None:
    """Holders are those of a population of another venue that has accounts of its own."""
    if not population.holders:
        return
    others = [
        other.name
        for other in scenario.populations
        if isinstance(other, Borrowers | Positions)
        and not other.holders
        and other.venue != population.venue
    ]
    allowed = "a population of another venue with holders of its own"
    require_known(population.holders, others, f"{path}.holders", allowed)
    for other in scenario.populations:
        same = isinstance(other, Borrowers | Positions) and other.holders == population.holders
        if same and other is not population and other.venue == population.venue:
            raise ScenarioError(f"{path}.holders", population.holders, "once in each venue")


def _check_populations(scenario: Scenario) -> Iterator[str]:
    lending = [venue.name for venue in scenario.venues_of(Lending)]
    for i, population in enumerate(scenario.populations):
        path = f"population[{i}]"
        if isinstance(population, Borrowers):
            require_known(population.venue, lending, f"{path}.venue", "a lending venue")
            _check_response(population.response, f"{path}.response")
            _check_holders(scenario, population, path)
            yield from _check_borrowers(scenario, population, path)
        if isinstance(population, Positions):
            require_known(population.venue, lending, f"{path}.venue", "a lending venue")
            _check_response(population.response, f"{path}.response")
            _check_holders(scenario, population, path)
            if not population.positions:
                raise ScenarioError(f"{path}.position", [], "at least one position, or a file")
            yield from (f"{path}: {note}" for note in population.notes)
            market = scenario.venue_as(Lending, population.venue)
            listed = [asset.symbol for asset in market.assets]
            supplied = borrowed = listed
            if isinstance(market, IsolatedLending):
                supplied, borrowed = [market.collateral], [market.debt]
            for j, row in enumerate(population.positions):
                for key, amounts, known in (
                    ("supplied", row.supplied, supplied),
                    ("borrowed", row.borrowed, borrowed),
                ):
                    for symbol, _ in amounts:
                        where = f"{path}.position[{j}].{key}.{symbol}"
                        require_known(symbol, known, where, f"an asset listed in {market.name}")


def _check_borrowers(scenario: Scenario, population: Borrowers, path: str) -> Iterator[str]:
    market = scenario.venue_as(Lending, population.venue)
    listed = [asset.symbol for asset in market.assets]
    require_known(population.collateral, listed, f"{path}.collateral", f"listed in {market.name}")
    require_known(population.debt, listed, f"{path}.debt", f"listed in {market.name}")
    if population.collateral == population.debt:
        allowed = f"not the collateral {population.collateral}"
        raise ScenarioError(f"{path}.debt", population.debt, allowed)
    collateral = market.asset(population.collateral)
    if collateral.liquidation_threshold_bps == 0:
        allowed = "an asset with liquidation_threshold_bps above 0"
        raise ScenarioError(f"{path}.collateral", population.collateral, allowed)
    health = population.health
    if health.min * health.scale < 1:
        yield (
            f"{path}.health.min = {health.min:g} x scale {health.scale:g}: positions below a "
            "health factor of 1 cannot be opened and are raised to it"
        )
    if health.max < health.min:
        raise ScenarioError(f"{path}.health.max", health.max, f"at least min {health.min:g}")
    size = population.size
    if size.min_debt_usd * population.count > size.total_debt_usd:
        allowed = f"at most total_debt_usd / count = {size.total_debt_usd / population.count:g}"
        raise ScenarioError(f"{path}.size.min_debt_usd", size.min_debt_usd, allowed)
    price = scenario.asset(population.debt).start_price_usd
    supplied = market.asset(population.debt).supplied
    supplied += supplied_to(scenario, market.name, population.debt)
    supplied += lent_by_vaults(scenario, market.name, population.debt)
    owed = sum(
        other.size.total_debt_usd
        for other in scenario.populations
        if isinstance(other, Borrowers)
        and (other.venue, other.debt) == (population.venue, population.debt)
    )
    if price is not None and supplied * price < owed:
        allowed = f"at most the {supplied:g} {population.debt} supplied to {market.name}"
        raise ScenarioError(f"{path}.size.total_debt_usd", size.total_debt_usd, allowed)


def _check_agents(scenario: Scenario, symbols: Sequence[str]) -> None:
    lending = [venue.name for venue in scenario.venues_of(Lending)]
    pooled = [venue.name for venue in scenario.venues_of(PooledLending)]
    pools = [venue.name for venue in scenario.venues_of(Pool)]
    for i, agent in enumerate(scenario.agents):
        path = f"agent[{i}]"
        _check_means(agent, symbols, path)
        if isinstance(agent, Liquidator | InventoryLiquidator):
            require_known(agent.venue, lending, f"{path}.venue", "a lending venue")
            if agent.withdrawal.fall_bps:
                where = f"{path}.withdrawal.asset"
                require_known(agent.withdrawal.asset, symbols, where, "an asset's symbol")
        if isinstance(agent, Liquidator):
            for j, other in enumerate(agent.further_venues):
                here = f"{path}.further_venues[{j}]"
                require_known(other, lending, here, "a lending venue")
                if other in agent.serves[: j + 1]:
                    raise ScenarioError(here, other, "each venue only once")
        if isinstance(agent, Lender):
            _unique(agent.venues, f"{path}.venues")
            if not agent.venues:
                raise ScenarioError(f"{path}.venues", [], "at least one venue")
            for j, name in enumerate(agent.venues):
                require_known(name, pooled, f"{path}.venues[{j}]", "a pooled-lending venue")
                listed = [asset.symbol for asset in scenario.venue_as(PooledLending, name).assets]
                require_known(agent.asset, listed, f"{path}.asset", f"listed in {name}")
            check_some(agent.supplied, scenario.asset(agent.asset), f"{path}.supplied")
        if isinstance(agent, Arbitrageur):
            require_known(agent.pool, pools, f"{path}.pool", "a pool")
            pool = scenario.venue_as(Pool, agent.pool)
            for symbol in (pool.base, pool.quote):
                if scenario.asset(symbol).external is None:
                    allowed = f"a pool whose assets have external markets; {symbol} has none"
                    raise ScenarioError(f"{path}.pool", agent.pool, allowed)
        if isinstance(agent, Guardian | Governor):
            require_known(agent.venue, pooled, f"{path}.venue", "a pooled-lending venue")
            listed = [
                asset.symbol for asset in scenario.venue_as(PooledLending, agent.venue).assets
            ]
            require_known(agent.asset, listed, f"{path}.asset", f"listed in {agent.venue}")
        if isinstance(agent, Guardian) and not (agent.fall_bps or agent.liquidated_usd):
            raise ScenarioError(f"{path}.fall_bps", 0, "above 0, or liquidated_usd above 0")
        if isinstance(agent, Governor):
            if not agent.steps:
                raise ScenarioError(f"{path}.steps", [], "at least one [fall_bps, threshold_bps]")
            _steps(agent.steps, f"{path}.steps")
        if isinstance(agent, Supplier | LiquidityProvider | StalePriceBorrower):
            _check_participant(scenario, agent, path)
        outages = getattr(agent, "outages", None)
        if isinstance(outages, Outages):
            _windows(outages.windows, f"{path}.outages")


def _check_means(agent: Agent, symbols: Sequence[str], path: str) -> None:
    """How many there are and what each is given (`harness.funding`); one from outside may have any
    fields, with any limits."""
    if agent.count < 1:
        raise ScenarioError(f"{path}.count", agent.count, "1 or more")
    deposit = getattr(agent, "fee_deposit", 0.0)
    if not 0 <= deposit <= _MOST:
        raise ScenarioError(f"{path}.fee_deposit", deposit, f"0 to {_MOST:g} tokens")
    for symbol, amount in getattr(agent, "capital", ()):
        require_known(symbol, symbols, f"{path}.capital.{symbol}", "an asset's symbol")
        if not 0 <= amount <= _MOST:
            raise ScenarioError(f"{path}.capital.{symbol}", amount, f"0 to {_MOST:g} tokens")


def _check_participant(
    scenario: Scenario, agent: Supplier | LiquidityProvider | StalePriceBorrower, path: str
) -> None:
    """Those who run, and those who come for a wrong price."""
    symbols = [asset.symbol for asset in scenario.assets]
    if isinstance(agent, LiquidityProvider):
        pools = [venue.name for venue in scenario.venues_of(Pool)]
        require_known(agent.pool, pools, f"{path}.pool", "a pool")
        if not agent.withdrawal.fall_bps:
            raise ScenarioError(f"{path}.withdrawal.fall_bps", 0, "above 0: when they leave")
        shares = [
            other.share_bps
            for other in scenario.agents_of(LiquidityProvider)
            if other.pool == agent.pool
        ]
        if sum(shares) > BPS:
            allowed = f"at most {BPS} of {agent.pool} together, not {sum(shares)}"
            raise ScenarioError(f"{path}.share_bps", agent.share_bps, allowed)
    else:
        pooled = [venue.name for venue in scenario.venues_of(PooledLending)]
        require_known(agent.venue, pooled, f"{path}.venue", "a pooled-lending venue")
        listed = [asset.symbol for asset in scenario.venue_as(PooledLending, agent.venue).assets]
    if isinstance(agent, Supplier):
        require_known(agent.asset, listed, f"{path}.asset", f"listed in {agent.venue}")
        check_some(agent.supplied, scenario.asset(agent.asset), f"{path}.supplied")
        if not (agent.loss_bps or agent.utilisation_bps or agent.withdrawal.fall_bps):
            allowed = "above 0, or utilisation_bps or withdrawal.fall_bps: when they run"
            raise ScenarioError(f"{path}.loss_bps", 0, allowed)
    if isinstance(agent, StalePriceBorrower):
        for key, symbol in (("collateral", agent.collateral), ("debt", agent.debt)):
            require_known(symbol, listed, f"{path}.{key}", f"listed in {agent.venue}")
            if scenario.asset(symbol).external is None:
                raise ScenarioError(f"{path}.{key}", symbol, "an asset with an outside market")
        if agent.collateral == agent.debt:
            allowed = f"not the collateral {agent.collateral}"
            raise ScenarioError(f"{path}.debt", agent.debt, allowed)
    elif agent.withdrawal.fall_bps:
        where = f"{path}.withdrawal.asset"
        require_known(agent.withdrawal.asset, symbols, where, "an asset's symbol")
