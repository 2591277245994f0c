"""``run(scenario, seed)``: set-up, the twin, the run, and what they come to.

Everything above the simulation, sweeps and comparisons included, calls only this.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.cuts import TWIN, UNCUT, Cuts
from harness.engine import default_engine, open_engine
from harness.engine.base import Block, Engine
from harness.engine.digest import DigestChain
from harness.metrics import summary as figures
from harness.metrics import vaults
from harness.metrics.exchanges import PerpTerms, exchanges
from harness.metrics.suppliers import summarised, suppliers
from harness.metrics.waterfall import waterfall
from harness.metrics.waves import FeedTerms, Terms, VenueTerms, classify
from harness.population import Position, build_population, dropped
from harness.prices import build_paths
from harness.scenario import (
    WAD,
    Lending,
    Pool,
    PoolSpotFeed,
    PoolTwapFeed,
    PushFeed,
    Scenario,
    SharePriceFeed,
    StalePriceBorrower,
    StuckFeed,
)
from harness.simulation import simulate
from harness.trace import Trace
from harness.traders import build_traders
from harness.world import World, deploy

if TYPE_CHECKING:
    from harness.experiments.contagion import Contagion

Progress = Callable[[int, int], None]

#: price paths by symbol (8 decimals, one for each block), and a world not yet executed
Prepared = tuple[dict[str, list[int]], World]


@dataclass(frozen=True)
class RunResult:
    """A finished run with its twin.

    Attributes:
        summary: the summary object, as ``harness run --json`` prints it
        setup: the executed set-up blocks
        setup_digests: the digest chain after each of them
        run, twin: the two passes
        paths: outside prices (8 decimals) without feedback, one for each block, by symbol
        contagion: what the links between venues carried, where it was asked for
    """

    scenario: Scenario
    seed: int
    engine: str
    summary: Mapping[str, Any]
    setup: Sequence[Block]
    setup_digests: Sequence[bytes]
    world: World
    run: Trace
    twin: Trace
    paths: Mapping[str, Sequence[int]]
    contagion: Contagion | None = None

    def with_contagion(self, found: Contagion) -> RunResult:
        """Adds the contagion, to the summary too."""
        summary = dict(self.summary)
        summary["contagion"] = found.as_json()
        summary["exact"] = {**summary["exact"], **found.exact()}
        summary["warnings"] = [*summary["warnings"], *found.violations]
        broken = {text.split()[0]: False for text in found.violations}
        checks = summary["checks"]
        summary["checks"] = {**checks, "invariants": {**checks["invariants"], **broken}}
        return replace(self, summary=summary, contagion=found)


def run(
    scenario: Scenario,
    seed: int,
    engine: str | Engine | None = None,
    *,
    progress: Progress | None = None,
    prepared: Prepared | None = None,
) -> RunResult:
    """Runs a scenario and its twin from the same snapshot.

    Violated invariants do not raise: they are part of the summary's checks.

    engine: a name for ``open_engine``, or a fresh engine, which the caller closes; by default
        the fastest there is
    progress: told after each block how many are done, and of how many
    prepared: what ``set_up`` gave for this scenario and seed, where it was called before

    Raises:
        ScenarioError: the scenario cannot be set up.
        EngineError: the engine failed.
    """
    if isinstance(engine, str) or engine is None:
        opened = open_engine(engine) if engine else default_engine()
        try:
            return _run(scenario, seed, opened, progress, prepared)
        finally:
            opened.close()
    return _run(scenario, seed, engine, progress, prepared)


def set_up(scenario: Scenario, seed: int) -> Prepared:
    """Price paths and the world of a scenario, its set-up written down but not executed."""
    paths = {symbol: path.tolist() for symbol, path in build_paths(scenario, seed).items()}
    start_prices = {symbol: path[0] for symbol, path in paths.items()}
    positions = [*build_population(scenario, seed, start_prices), *_to_be_opened(scenario)]
    traders = build_traders(scenario, seed, start_prices)
    return paths, deploy(scenario, start_prices, _by_venue(positions), traders)


def _to_be_opened(scenario: Scenario) -> list[Position]:
    """The empty positions of those who borrow only while the scenario runs: their debts count as
    everybody's do, and they can be liquidated."""
    return [
        Position(
            population=spec.name,
            index=index,
            account="",
            venue=spec.venue,
            supplied=(),
            borrowed=(),
            action="nothing",
            latency_blocks=0,
            call_health_factor=WAD,
            target_health_factor=WAD,
            cash=(),
        )
        for spec in scenario.agents_of(StalePriceBorrower)
        for index in range(spec.count)
    ]


class Stage:
    """A scenario deployed on a fresh engine, from which it can be played again and again.

    ``setup`` are the executed set-up blocks, ``digests`` the digest chain after each of them.

    Raises ScenarioError if the contracts refuse a part of the set-up.
    """

    def __init__(
        self, scenario: Scenario, seed: int, engine: Engine, prepared: Prepared | None = None
    ) -> None:
        self._scenario, self._seed, self._engine = scenario, seed, engine
        self._paths, self.world = set_up(scenario, seed) if prepared is None else prepared
        self.setup = self.world.setup.blocks(scenario.clock.start)
        self.digests: list[bytes] = []
        chain = DigestChain()
        for block in self.setup:
            receipts = engine.execute(block)
            self.world.setup.require_success(block, receipts)
            self.digests.append(chain.add(block, receipts))

    def play(
        self,
        cuts: Cuts,
        *,
        keep: bool = False,
        after_block: Callable[[int], None] | None = None,
    ) -> Trace:
        """One pass; afterwards the chain is as it was after set-up, unless it is to be kept."""
        token = self._engine.snapshot()
        trace = simulate(
            self._engine,
            self.world,
            self._scenario,
            self._paths,
            self._seed,
            first_number=len(self.setup) + 1,
            digest=self.digests[-1],
            cuts=cuts,
            after_block=after_block,
        )
        if not keep:
            self._engine.revert(token)
        return trace


def _run(
    scenario: Scenario,
    seed: int,
    engine: Engine,
    progress: Progress | None,
    prepared: Prepared | None,
) -> RunResult:
    began = time.perf_counter()
    paths, world = set_up(scenario, seed) if prepared is None else prepared
    stage = Stage(scenario, seed, engine, (paths, world))
    count = scenario.clock.blocks
    twin = stage.play(TWIN, after_block=_counter(progress, count, second=False))
    main = stage.play(UNCUT, keep=True, after_block=_counter(progress, count, second=True))
    classify(main, twin, _terms(scenario, world), _feed_terms(scenario, world))
    return RunResult(
        scenario=scenario,
        seed=seed,
        engine=engine.name,
        summary=_summary(scenario, seed, engine.name, world, main, twin, began),
        setup=stage.setup,
        setup_digests=stage.digests,
        world=world,
        run=main,
        twin=twin,
        paths=paths,
    )


def _counter(
    progress: Progress | None, blocks: int, *, second: bool
) -> Callable[[int], None] | None:
    """Turns a pass's block index into blocks done of both passes."""
    if progress is None:
        return None
    return lambda index: progress(index + 1 + (blocks if second else 0), 2 * blocks)


def _by_venue(positions: Sequence[Position]) -> dict[str, list[Position]]:
    grouped: dict[str, list[Position]] = {}
    for position in positions:
        grouped.setdefault(position.venue, []).append(position)
    return grouped


def _terms(scenario: Scenario, world: World) -> dict[str, VenueTerms]:
    terms: dict[str, VenueTerms] = {
        name: PerpTerms.of(venue) for name, venue in world.exchanges.items()
    }
    for spec in scenario.venues_of(Lending):
        venue = world.venues[spec.name]
        terms[spec.name] = Terms(
            assets=venue.feed_names,
            thresholds_bps=tuple(asset.liquidation_threshold_bps for asset in spec.assets),
            units=tuple(10**places for places in venue.decimals),
            call_levels=tuple(position.call_health_factor for position in venue.positions),
        )
    return terms


def _feed_terms(scenario: Scenario, world: World) -> dict[str, FeedTerms]:
    """How forced trades reach each feed that is not computed from others."""
    terms = {}
    for name, source in world.sources.items():
        feed, symbol = source.feed, source.symbol
        if isinstance(feed, PoolSpotFeed | PoolTwapFeed):
            quote = scenario.venue_as(Pool, feed.pool).quote
            window = feed.window_s if isinstance(feed, PoolTwapFeed) else 0
            terms[name] = FeedTerms(symbol, spot_against=quote, window_s=window)
        elif isinstance(feed, SharePriceFeed):
            terms[name] = FeedTerms(symbol, markets=world.vault_of[symbol].markets)
        elif isinstance(feed, PushFeed | StuckFeed):
            outside = scenario.asset(symbol).external
            half_life = 0 if outside is None else outside.half_life_s
            terms[name] = FeedTerms(symbol, half_life_s=half_life)
    return terms


def _summary(
    scenario: Scenario,
    seed: int,
    engine: str,
    world: World,
    main: Trace,
    twin: Trace,
    began: float,
) -> dict[str, Any]:
    reason = figures.vacuous(main, scenario)
    return {
        "schema": 1,
        "status": "complete",
        "scenario": scenario.name,
        "seed": seed,
        "engine": engine,
        "digest": "0x" + main.digest.hex(),
        "blocks": scenario.clock.blocks,
        "elapsed_s": round(time.perf_counter() - began, 3),
        "warnings": [
            *scenario.warnings,
            *dropped(scenario, [p for venue in world.venues.values() for p in venue.positions]),
            *([f"vacuous: {reason}"] if reason else []),
            *main.violations,
        ],
        "transactions": figures.transactions(main),
        "prices": figures.prices(main, twin),
        "liquidations": figures.liquidations(main, world, scenario),
        "cascade": figures.cascade(main, twin),
        "margin_calls": figures.margin_calls(main),
        "solvency": figures.solvency(main, world),
        "exchanges": exchanges(main, world, scenario),
        "suppliers": summarised(suppliers(main, world, scenario), main, world),
        "vaults": vaults.summarised(main, world, scenario),
        "waterfall": waterfall(main, world),
        "contagion": None,
        "checks": {"invariants": dict(main.invariants), "vacuous": reason is not None},
        "exact": figures.exact(main, world, scenario),
    }


__all__ = ["Prepared", "Progress", "RunResult", "Stage", "run", "set_up"]
