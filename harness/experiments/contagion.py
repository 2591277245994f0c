"""Contagion, measured: the run again without each of its links, from the same set-up and seed.

The entry (link, j) is j's insolvency in the run less j's insolvency in the run without the link.
The matrix has for each venue i the sum over i's links, with self-feedback on its diagonal; the
interaction is what entries do not add up to, of the run less the run without any link:

    run_j - without all_j = sum over links of entry(link, j) + interaction_j        (wei)

A link that provably carried nothing is not run again: the rounds of a venue's shared feeds were
those of the twin, or no block was ever too full. Its entries are zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from harness.cuts import Cuts, Link, Round
from harness.engine import open_engine
from harness.engine.base import Engine
from harness.errors import EngineError
from harness.experiments.pool import run_all
from harness.links import links_of
from harness.metrics.clearing_vector import clearing_predictions
from harness.metrics.interconnection import Prediction, predictions
from harness.metrics.summary import usd
from harness.risk.network import rank_correlation
from harness.run import RunResult, Stage
from harness.scenario import Scenario
from harness.trace import Trace

#: USD WAD by venue
Insolvency = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Contagion:
    """What each link carried, in USD WAD.

    Attributes:
        venues: in the scenario's order
        links: all there are
        run, apart: insolvency by venue in the run, and in the run without any link
        without: insolvency by venue in the run without a link
        idle: links that carried nothing, for which there was no need to run
        violations: invariants that did not hold in a run without links
        predicted: matrices from the positions at the start, by measure
    """

    venues: tuple[str, ...]
    links: tuple[Link, ...]
    run: Insolvency
    apart: Insolvency
    without: Mapping[Link, Insolvency]
    idle: frozenset[Link]
    violations: tuple[str, ...] = ()
    predicted: Mapping[str, Prediction] = field(default_factory=dict)

    def entry(self, link: Link, venue: str) -> int:
        """What a link added to a venue's insolvency."""
        return self.run[venue] - self.without[link][venue]

    def matrix(self) -> dict[str, dict[str, int]]:
        """By venue i and venue j the sum of the entries of i's links."""
        return {
            i: {
                j: sum(self.entry(link, j) for link in self.links if link.venue == i)
                for j in self.venues
            }
            for i in self.venues
        }

    def spread(self) -> int:
        """All entries off the diagonal: what venues did to each other."""
        matrix = self.matrix()
        return sum(matrix[i][j] for i in self.venues for j in self.venues if i != j)

    def total(self) -> dict[str, int]:
        """Run less run without any link, by venue."""
        return {j: self.run[j] - self.apart[j] for j in self.venues}

    def interaction(self) -> dict[str, int]:
        """What the entries do not add up to of the total, by venue."""
        entries = {j: sum(self.entry(link, j) for link in self.links) for j in self.venues}
        return {j: amount - entries[j] for j, amount in self.total().items()}

    def foresight(self) -> dict[str, float | None]:
        """How well each measure ranks what one venue did to another by the channel it is about:
        Spearman's rank correlation with the entries off the diagonal, over the venues it is made
        for (an exchange's sales depend on positions that no measure counts); None where either does
        not vary."""
        found = {}
        for measure, (channel, matrix) in self.predicted.items():
            links = {link.venue: link for link in self.links if link.channel == channel}
            pairs = [(i, j) for i in matrix for j in matrix if i != j]
            simulated = [float(self.entry(links[i], j)) if i in links else 0.0 for i, j in pairs]
            found[measure] = rank_correlation(simulated, [matrix[i][j] for i, j in pairs])
        return found

    def as_json(self) -> dict[str, Any]:
        """The part of the summary object, in USD."""

        def plain(row: Mapping[str, int]) -> dict[str, float]:
            return {venue: usd(amount) for venue, amount in row.items()}

        return {
            "matrix": {i: plain(row) for i, row in self.matrix().items()},
            "interaction": plain(self.interaction()),
            "total": plain(self.total()),
            "links": {
                str(link): plain({j: self.entry(link, j) for j in self.venues})
                for link in self.links
            },
            "idle": sorted(map(str, self.idle)),
            "predicted": {
                measure: {
                    "matrix": self.predicted[measure].matrix,
                    "rank_correlation": correlation,
                }
                for measure, correlation in self.foresight().items()
            },
        }

    def exact(self) -> dict[str, dict[str, str]]:
        """The same in integers of USD WAD, as paths of the summary's ``exact``."""

        def plain(row: Mapping[str, int]) -> dict[str, str]:
            return {venue: str(amount) for venue, amount in row.items()}

        found = {f"contagion.matrix.{i}": plain(row) for i, row in self.matrix().items()}
        for link in self.links:
            row = {j: self.entry(link, j) for j in self.venues}
            found[f"contagion.links.{link}"] = plain(row)
        found["contagion.interaction"] = plain(self.interaction())
        found["contagion.total"] = plain(self.total())
        return found


@dataclass(frozen=True, slots=True)
class Counterfactuals:
    """Runs to make from one deployment: which links each of them is without."""

    scenario: Scenario
    seed: int
    engine: str
    setup_digest: bytes
    rounds: Mapping[str, Sequence[Round]]
    without: tuple[frozenset[Link], ...]


def insolvency(trace: Trace) -> dict[str, int]:
    """Bad debt and market shortfall at the end of a pass, by venue, USD WAD."""
    return {
        name: state.bad_debt + state.shortfall_market
        for name, state in trace.blocks[-1].every_venue.items()
    }


def contagion(
    result: RunResult,
    *,
    engine: str | None = None,
    executor: Executor | None = None,
    workers: int = 1,
) -> Contagion:
    """Runs a finished run again without each of its links, and without all of them.

    engine: by default the one of the run
    executor, workers: where counterfactual runs are made, and over how many tasks they are spread;
        each task deploys the scenario once

    Raises:
        EngineError: an engine failed, or a deployment differs from the run's.
    """
    links = links_of(result.scenario, result.world)
    idle = frozenset(link for link in links if _is_idle(link, result))
    busy = [frozenset({link}) for link in links if link not in idle]
    wanted = list(dict.fromkeys([*busy, frozenset(links)]))
    shares = [tuple(wanted[start::workers]) for start in range(min(workers, len(wanted)))]
    tasks = [
        Counterfactuals(
            result.scenario,
            result.seed,
            engine or result.engine,
            result.setup_digests[-1],
            result.twin.rounds,
            share,
        )
        for share in shares
    ]
    found: dict[frozenset[Link], Insolvency] = {}
    violations: list[str] = []
    for task, outcomes in zip(tasks, run_all(executor, play, tasks), strict=True):
        for cut, outcome in zip(task.without, outcomes, strict=True):
            found[cut] = outcome.insolvency
            names = ", ".join(sorted(map(str, cut)))
            violations += [f"{problem} (without {names})" for problem in outcome.violations]
    run = insolvency(result.run)
    return Contagion(
        venues=(*result.world.venues, *result.world.exchanges),
        links=links,
        run=run,
        apart=found[frozenset(links)],
        without={link: run if link in idle else found[frozenset({link})] for link in links},
        idle=idle,
        violations=tuple(violations),
        predicted={**predictions(result), **clearing_predictions(result)},
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a counterfactual run came to."""

    insolvency: Insolvency
    violations: tuple[str, ...]


def play(task: Counterfactuals) -> list[Outcome]:
    """Makes the runs of a task one after the other, each from the state after set-up."""
    engine = open_engine(task.engine)
    try:
        return _play(task, engine)
    finally:
        engine.close()


def _play(task: Counterfactuals, engine: Engine) -> list[Outcome]:
    stage = Stage(task.scenario, task.seed, engine)
    if stage.digests[-1] != task.setup_digest:
        raise EngineError("the set-up of a counterfactual run differs from that of the run")
    found = []
    for links in task.without:
        trace = stage.play(Cuts(links, rounds=task.rounds))
        found.append(Outcome(insolvency(trace), tuple(trace.violations)))
    return found


def _is_idle(link: Link, result: RunResult) -> bool:
    """Whether the run itself shows that cutting the link changes nothing."""
    if link.channel == "block-space":
        return result.run.crowded_blocks == 0
    if link.channel == "oracle":
        run, twin = result.run.rounds, result.twin.rounds
        return all(run[name] == twin[name] for name in result.world.relays[link.venue])
    return False


__all__ = ["Contagion", "Counterfactuals", "contagion", "insolvency", "play"]
