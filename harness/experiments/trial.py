"""One trial: a scenario and a seed in, a row of figures out, whatever happens.

A row is keyed by everything it depends on: the scenario as data, the seed, the engine and the code
that runs it. It holds no times, so that the same trial gives the same row anywhere.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.engine import Engine, default_engine_name, open_engine
from harness.engine.layered import Layers
from harness.errors import EngineError, HarnessError
from harness.protocols.deleveraging import deploy_policy
from harness.scenario import ClearingHouse, Scenario, dump_scenario
from harness.setup import Setup

Figures = Mapping[str, float | int | None]

#: Packages on which figures depend beside this one.
_PACKAGES = ("numpy", "pyrevm", "py-evm", "eth-tester", "web3")


class _Held(threading.local):
    """The engine that this thread of this worker keeps between trials: engines must not cross
    threads, and do not pickle, so that nothing but the thread can hold them."""

    def __init__(self) -> None:
        self._name = ""
        self._layers: Layers | None = None

    def layers(self, engine: str) -> Layers:
        """The kept engine, if it is of this name; else another takes its place."""
        if self._layers is None or self._name != engine:
            if self._layers is not None:
                self._layers.close()
            self._name, self._layers = engine, Layers(partial(open_engine, engine))
        return self._layers


_HELD = _Held()


@dataclass(frozen=True, slots=True)
class Trial:
    """A scenario to run with a seed, on an engine by name; without its twin, half the work, where
    figures that compare with it are not needed."""

    scenario: Scenario
    seed: int
    engine: str
    twin: bool
    code: str
    key: str


@dataclass(frozen=True, slots=True)
class TrialRow:
    """What became of a trial.

    key: of the trial; empty if there was no valid scenario to run
    status: ``complete``, or ``failed`` with the reason in ``error``
    violated: invariants that did not hold
    vacuous: nothing moved, was called or was liquidated
    figures: of `harness.metrics.outcome.run_figures`, without a twin `pass_figures`; empty if it
        failed
    """

    key: str
    seed: int
    status: str
    error: str | None = None
    digest: str | None = None
    violated: tuple[str, ...] = ()
    vacuous: bool = False
    figures: Figures = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrialRow:
        """A row from its JSON object. Raises TypeError or KeyError if it is not one."""
        return cls(**{**content, "violated": tuple(content["violated"])})


def make_trials(
    scenario: Scenario, seeds: Sequence[int], engine: str | None = None, *, twin: bool = True
) -> list[Trial]:
    """A trial of a scenario for each seed."""
    code, name = code_version(), engine or default_engine_name()
    body = hashlib.sha256(f"{_outside_code(scenario)}\n{dump_scenario(scenario)}".encode())
    trials = []
    for seed in seeds:
        digest = hashlib.sha256(f"twin {twin}\n{code}\n{name}\n{seed}\n{body.hexdigest()}".encode())
        trials.append(Trial(scenario, seed, name, twin, code, digest.hexdigest()[:32]))
    return trials


def run_trial(trial: Trial) -> TrialRow:
    """Runs a trial; what fails is a row with its reason.

    Raises EngineError only if this process has other code than the trial was made for.
    """
    if trial.code != code_version():
        raise EngineError(f"a worker has code {code_version()}, the sweep {trial.code}")
    layers = _HELD.layers(trial.engine)
    try:
        return (_with_twin if trial.twin else _alone)(trial, layers.fresh())
    except Exception as error:  # noqa: BLE001 - plug-ins may raise anything; it becomes the row
        layers.close()
        return failed(trial, error)


def _with_twin(trial: Trial, engine: Engine) -> TrialRow:
    from harness.metrics.outcome import run_figures
    from harness.run import run

    result = run(trial.scenario, trial.seed, engine)
    checks, digest = result.summary["checks"], result.summary["digest"]
    return _complete(trial, digest, checks["invariants"], checks["vacuous"], run_figures(result))


def _alone(trial: Trial, engine: Engine) -> TrialRow:
    from harness.cuts import UNCUT
    from harness.metrics.outcome import pass_figures
    from harness.metrics.summary import vacuous
    from harness.run import Stage

    stage = Stage(trial.scenario, trial.seed, engine)
    trace = stage.play(UNCUT, keep=True)
    quiet = vacuous(trace, trial.scenario) is not None
    figures = pass_figures(trial.scenario, stage.world, trace)
    return _complete(trial, "0x" + trace.digest.hex(), trace.invariants, quiet, figures)


def _complete(
    trial: Trial, digest: str, invariants: Mapping[str, bool], quiet: bool, figures: Figures
) -> TrialRow:
    return TrialRow(
        key=trial.key,
        seed=trial.seed,
        status="complete",
        digest=digest,
        violated=tuple(name for name, holds in invariants.items() if not holds),
        vacuous=quiet,
        figures=figures,
    )


def failed(trial: Trial, error: BaseException | str) -> TrialRow:
    """The row of a trial that failed."""
    if isinstance(error, HarnessError | str):
        reason = str(error)
    else:
        reason = f"{type(error).__name__}: {error}"
    return TrialRow(trial.key, trial.seed, "failed", error=" ".join(reason.split()))


@cache
def code_version() -> str:
    """A hash of this package, artifacts included, and of the versions it computes with."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".json")):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root).as_posix()} {content}\n".encode())
    for name in _PACKAGES:
        digest.update(f"{name} {_version(name)}\n".encode())
    return digest.hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _outside_code(scenario: Scenario) -> str:
    """A hash of the modules that the scenario plugs in as ``module:Class``, and of the contracts
    that those deploy which are compiled elsewhere."""
    modules = sorted({name.partition(":")[0] for name in _plugged(scenario)})
    parts = []
    for module in modules:
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
            parts.append(hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest())
    for house in scenario.venues_of(ClearingHouse):
        if ":" in house.policy:
            setup = Setup()
            deploy_policy(setup, house)
            sent = b"".join(transaction.data for transaction in setup.transactions)
            parts.append(hashlib.sha256(sent).hexdigest())
    return json.dumps([modules, parts])


def _plugged(scenario: Scenario) -> Iterator[str]:
    if ":" in scenario.block_space.ordering:
        yield scenario.block_space.ordering
    for house in scenario.venues_of(ClearingHouse):
        if ":" in house.policy:
            yield house.policy
    members = [*scenario.agents, *scenario.venues, *scenario.populations]
    for member in [*members, *(asset.price for asset in scenario.assets)]:
        if ":" in member.tag_value():
            yield member.tag_value()
