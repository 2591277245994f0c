"""The pytest plugin: runs, markets and assertions as fixtures.

Installed with the package; pytest finds it by itself.

    def test_survives_black_thursday(scenario_run):
        result = scenario_run("black-thursday", "asset.ETH.external.depth_2pct_usd=1e8")
        assert_solvent(result, within_bps=100)

    @pytest.mark.harness("calm", seeds=[1, 2, 3], shocks=[{"ETH": 0.9}, {"ETH": 0.8}])
    def test_every_seed_and_shock(result):
        assert_no_bad_debt(result)

    def test_no_flash_loan_pays(attack_run):
        assert_unprofitable(attack_run("spot-oracle", remedied=True))

    def test_one_market_by_hand(market):
        market.supply("alice", "ETH", 10 * 10**18)

    def test_from_where_the_scenario_starts(scenario_world):
        world = scenario_world("calm")
        assert world.read(world.venues["aave"].market, "assetCount") == 2

Options: ``--harness-engine`` and ``--harness-seed``. ``market`` is the built-in lending market, or
one's own where the fixture ``lending_adapter`` is overridden. What several tests use is deployed
once; each test runs in a snapshot of it. On ``rpc:URL`` there is one chain for all, so that a test
can use one of ``engine``, ``market`` and ``scenario_world`` only.

What runs scenarios is imported when a fixture first needs it, not whenever pytest starts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.attacks import AttackResult
    from harness.engine import Engine
    from harness.population import Position
    from harness.protocols.base import LendingAdapter
    from harness.run import RunResult
    from harness.scenario import Scenario
    from harness.testing.lending import LendingMarket
    from harness.testing.worlds import ScenarioWorld

    MakeAdapter = Callable[[], LendingAdapter]
    ScenarioRun = Callable[..., RunResult]
    OpenWorld = Callable[..., ScenarioWorld]
    AttackRun = Callable[..., AttackResult]


@dataclass(frozen=True)
class Case:
    """One parametrised run: a scenario, its overrides, a seed, and factors on prices."""

    scenario: str
    overrides: tuple[str, ...]
    seed: int | None
    shock: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        parts = [self.scenario]
        if self.seed is not None:
            parts.append(f"seed{self.seed}")
        parts += [f"{symbol}x{factor:g}" for symbol, factor in self.shock]
        return "-".join(parts)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --harness-engine and --harness-seed."""
    group = parser.getgroup("harness", "liquidation-harness")
    group.addoption(
        "--harness-engine",
        default=None,
        help="engine of fixtures: revm, py-evm, eth-tester, rpc:URL (default: the fastest)",
    )
    group.addoption("--harness-seed", type=int, default=1, help="seed of runs (default 1)")


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker; refuses an engine that cannot be opened."""
    spec = config.getoption("--harness-engine")
    if spec is not None:
        from harness.engine import open_engine
        from harness.errors import HarnessError

        try:
            open_engine(spec).close()
        except HarnessError as error:
            raise pytest.UsageError(f"--harness-engine {spec}: {error}") from error
    config.addinivalue_line(
        "markers",
        "harness(*scenarios, seeds=[...], shocks=[{SYMBOL: factor}], set=[...]): one test for "
        "each scenario, seed and shock; the fixture `result` is its run",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrises tests that ask for ``result`` by their marker."""
    if "harness_case" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("harness")
    if marker is None:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: the fixture result needs @pytest.mark.harness(SCENARIO)"
        )
    unknown = marker.kwargs.keys() - {"seeds", "shocks", "set"}
    if unknown or not marker.args:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: harness(*scenarios, seeds=, shocks=, set=), "
            f"not {sorted(unknown) or 'without a scenario'}"
        )
    seeds: Sequence[int | None] = marker.kwargs.get("seeds") or [None]
    shocks: Sequence[Mapping[str, float]] = marker.kwargs.get("shocks") or [{}]
    overrides = tuple(marker.kwargs.get("set", ()))
    cases = [
        Case(name, overrides, seed, tuple(sorted(shock.items())))
        for name, seed, shock in product(marker.args, seeds, shocks)
    ]
    metafunc.parametrize("harness_case", cases, ids=str)


@pytest.fixture(scope="session")
def harness_engine(request: pytest.FixtureRequest) -> str:
    """Name of the engine that fixtures open."""
    from harness.engine import default_engine_name

    chosen: str | None = request.config.getoption("--harness-engine")
    return chosen or default_engine_name()


@pytest.fixture(scope="session")
def harness_seed(request: pytest.FixtureRequest) -> int:
    """Seed of runs that name none."""
    seed: int = request.config.getoption("--harness-seed")
    return seed


class Chains:
    """Opens engines, and keeps what was deployed on them."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._kept: dict[Hashable, tuple[Engine, Any]] = {}

    def fresh(self) -> Engine:
        """A fresh chain, which the caller closes."""
        from harness.engine import open_engine

        if self._spec.startswith("rpc:"):
            self.close()  # a node has one chain
        return open_engine(self._spec)

    def keep(self, key: Hashable, deploy: Callable[[Engine], Any]) -> Any:
        """What was deployed under this key, on a chain of its own."""
        if key not in self._kept:
            engine = self.fresh()
            self._kept[key] = engine, deploy(engine)
        return self._kept[key][1]

    def close(self) -> None:
        """Closes the chains it keeps."""
        for engine, _ in self._kept.values():
            engine.close()
        self._kept.clear()


@pytest.fixture(scope="session")
def harness_chains(harness_engine: str) -> Iterator[Chains]:
    """Where the other fixtures deploy."""
    chains = Chains(harness_engine)
    yield chains
    chains.close()


@pytest.fixture
def engine(harness_chains: Chains) -> Iterator[Engine]:
    """A fresh chain."""
    opened = harness_chains.fresh()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def lending_adapter() -> MakeAdapter:
    """What makes the adapter of the protocol behind ``market``; override it with your own."""
    from harness.protocols.pooled_adapter import PooledMarketAdapter

    return PooledMarketAdapter


@pytest.fixture
def market(harness_chains: Chains, lending_adapter: MakeAdapter) -> Iterator[LendingMarket]:
    """A lending market with ETH and USDC as it was deployed, once for a session; whatever a test
    does to it is undone by a snapshot, and every action is checked against the invariants."""
    from harness.testing.lending import LendingMarket

    deployed: LendingMarket = harness_chains.keep(
        lending_adapter, lambda engine: LendingMarket(engine, lending_adapter())
    )
    with deployed.anchor() as anchored:
        yield anchored


@pytest.fixture
def scenario_world(harness_chains: Chains, harness_seed: int) -> Iterator[OpenWorld]:
    """``scenario_world(SCENARIO, *overrides, seed=N)``: what a scenario deploys, positions
    included, before its first block; deployed once for a session, each test in a snapshot."""
    from harness.scenario import load_scenario
    from harness.testing.worlds import ScenarioWorld

    with ExitStack() as anchors:
        opened: dict[Hashable, ScenarioWorld] = {}

        def open_world(scenario: str, *overrides: str, seed: int | None = None) -> ScenarioWorld:
            key = (scenario, overrides, harness_seed if seed is None else seed)
            if key not in opened:
                world: ScenarioWorld = harness_chains.keep(
                    key,
                    lambda engine: ScenarioWorld(
                        engine, load_scenario(scenario, overrides), key[2]
                    ),
                )
                opened[key] = anchors.enter_context(world.anchor())
            return opened[key]

        yield open_world


@pytest.fixture(scope="session")
def population(harness_seed: int) -> Callable[..., tuple[Position, ...]]:
    """``population(SCENARIO, *overrides, seed=N)``: the positions a scenario opens."""
    from harness.population import build_population
    from harness.scenario import load_scenario

    def build(scenario: str, *overrides: str, seed: int | None = None) -> tuple[Position, ...]:
        chosen = harness_seed if seed is None else seed
        return build_population(load_scenario(scenario, overrides), chosen)

    return build


@pytest.fixture(scope="session")
def scenario_run(harness_chains: Chains, harness_seed: int) -> ScenarioRun:
    """``scenario_run(SCENARIO, *overrides, seed=N, shock={SYMBOL: factor})``.

    The finished run; the same call gives the same object, so a session runs it once.
    """
    from harness.run import run
    from harness.scenario import load_scenario

    finished: dict[tuple[Any, ...], RunResult] = {}

    def run_once(
        scenario: str,
        *overrides: str,
        seed: int | None = None,
        shock: Mapping[str, float] | None = None,
    ) -> RunResult:
        chosen = harness_seed if seed is None else seed
        key = (scenario, overrides, chosen, tuple(sorted((shock or {}).items())))
        if key not in finished:
            loaded = shocked(load_scenario(scenario, overrides), shock or {})
            opened = harness_chains.fresh()
            try:
                finished[key] = run(loaded, chosen, opened)
            finally:
                opened.close()
        return finished[key]

    return run_once


@pytest.fixture(scope="session")
def attack_run(harness_chains: Chains, harness_seed: int) -> AttackRun:
    """``attack_run(NAME or FILE or Attack, *settings, seed=N, remedied=False)``.

    The finished attack; the same call gives the same object, so a session plays it once.
    """
    from harness.attacks import Attack, load_attack, play, with_settings

    finished: dict[tuple[Any, ...], AttackResult] = {}

    def play_once(
        attack: str | Attack, *settings: str, seed: int | None = None, remedied: bool = False
    ) -> AttackResult:
        chosen = harness_seed if seed is None else seed
        words = (f"remedied={str(remedied).lower()}", *settings)
        key = (attack if isinstance(attack, str) else id(attack), words, chosen)
        if key not in finished:
            if isinstance(attack, str):
                loaded = load_attack(attack, words)
            else:
                loaded = with_settings(attack, words)
            opened = harness_chains.fresh()
            try:
                finished[key] = play(loaded, opened, chosen)
            finally:
                opened.close()
        return finished[key]

    return play_once


@pytest.fixture
def result(harness_case: Case, scenario_run: ScenarioRun) -> RunResult:
    """The run that ``@pytest.mark.harness`` asks for."""
    return scenario_run(
        harness_case.scenario,
        *harness_case.overrides,
        seed=harness_case.seed,
        shock=dict(harness_case.shock),
    )


def shocked(scenario: Scenario, shock: Mapping[str, float]) -> Scenario:
    """A scenario whose prices are multiplied by a factor at half its time, at once.

    Raises ScenarioError for a symbol that is not an asset, or a price process that takes no shock.
    """
    from harness.errors import ScenarioError
    from harness.scenario import Shock, checked

    assets = list(scenario.assets)
    symbols = [asset.symbol for asset in assets]
    at_s = scenario.clock.blocks // 2 * scenario.clock.seconds_per_block
    origin = scenario.origin
    for symbol, factor in shock.items():
        if symbol not in symbols:
            raise ScenarioError("shock", symbol, f"one of {', '.join(symbols)}")
        place = symbols.index(symbol)
        price: Any = assets[place].price
        existing: tuple[Shock, ...] | None = getattr(price, "shocks", None)
        if existing is None:
            allowed = "an asset whose price process takes shocks"
            raise ScenarioError("shock", symbol, allowed)
        shocks = (*existing, Shock(at_s=at_s, factor=factor))
        assets[place] = replace(assets[place], price=replace(price, shocks=shocks))
        tables = ", ".join(
            f"{{at_s={each.at_s}, factor={each.factor}, ramp_s={each.ramp_s}}}" for each in shocks
        )
        origin += f" --set 'asset.{symbol}.price.shock=[{tables}]'"
    return replace(checked(replace(scenario, assets=tuple(assets))), origin=origin)
