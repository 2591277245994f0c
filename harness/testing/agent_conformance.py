"""Conformance kit for agents.

Subclass it, give a scenario in which the agent has something to do, and say how to build it:

    class TestMyAgent(AgentConformance):
        @pytest.fixture
        def scenario(self):
            return load_scenario("my-scenario.toml")

        @pytest.fixture
        def make_agent(self):
            return lambda context: MyAgent(context)

The agent takes part in the run of the scenario and in its twin, in the place of the scenario's
agent of the same name if there is one. What it does is watched: it may read, and it may return
orders, and nothing else.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import simulation
from harness.agents import Agent, Context
from harness.agents.roster import build_agents
from harness.engine import default_engine
from harness.engine.base import Block, Engine, Receipt
from harness.orders import Order
from harness.run import run
from harness.scenario import Scenario
from harness.view import View

__all__ = ["AgentConformance", "MakeAgent", "Watched"]

MakeAgent = Callable[[Context], Agent]

SEED = 11


class _Guard:
    """An engine that notes what is done to it while an agent decides."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name = engine.name
        self.deciding = False
        self.attempts: list[str] = []

    def _note(self, what: str) -> None:
        if self.deciding:
            self.attempts.append(what)

    def execute(self, block: Block) -> list[Receipt]:
        self._note("execute")
        return self._engine.execute(block)

    def call(self, to: bytes, data: bytes) -> bytes:
        return self._engine.call(to, data)

    def snapshot(self) -> int:
        self._note("snapshot")
        return self._engine.snapshot()

    def revert(self, token: int) -> None:
        self._note("revert")
        self._engine.revert(token)

    def close(self) -> None:
        self._note("close")
        self._engine.close()


def facts(view: View) -> dict[str, Any]:
    """What a view says of the world, copied."""
    return copy.deepcopy(
        {
            "block": (view.index, view.timestamp, view.cuts, view.background_bid),
            "outside": (view.external, view.displacement),
            "feeds": view.feeds,
            "reserves": view.reserves,
            "mempool": view.mempool,
            "venues": {
                name: (state.states, state.oracle_prices, state.unhealthy_since, state.calls)
                for name, state in view.venues.items()
            },
        }
    )


def _shared_streams() -> str:
    """Where the global random streams stand; an agent draws from neither."""
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002 - the one that must not move
    return f"{random.getstate()} {legacy['state']['pos']} {legacy['state']['key'].tolist()}"


class Watched:
    """An agent with what it did: ``orders`` by block as it returned them, ``wrong``, what it may
    not do, and ``malformed``, what no block builder can take; malformed orders go no further."""

    def __init__(self, agent: Agent, guard: _Guard) -> None:
        self.name = agent.name
        self._agent = agent
        self._guard = guard
        self.orders: dict[int, list[Order]] = {}
        self.wrong: list[str] = []
        self.malformed: list[str] = []

    def act(self, view: View) -> Sequence[Order]:
        block = view.next_block
        before, streams = facts(view), _shared_streams()
        self._guard.deciding = True
        try:
            orders = list(self._agent.act(view))
        finally:
            self._guard.deciding = False
        if facts(view) != before:
            self.wrong.append(f"block {block}: it changed the view")
        if _shared_streams() != streams:
            self.wrong.append(f"block {block}: it drew from a global random stream")
        self.orders[block] = [replace(order) for order in orders]
        keys = [order.key for order in orders]
        self.malformed += [
            f"block {block}: more than one order for {key!r}"
            for key in set(keys)
            if keys.count(key) > 1
        ]
        good = []
        for order in orders:
            found = order.faults(self.name, block)
            self.malformed += [f"block {block}, order {order.key!r}: {fault}" for fault in found]
            if not found:
                good.append(order)
        return good


class AgentConformance:
    """What the simulation relies on in an agent."""

    @pytest.fixture
    def scenario(self) -> Scenario:
        raise NotImplementedError

    @pytest.fixture
    def make_agent(self) -> MakeAgent:
        raise NotImplementedError

    @pytest.fixture
    def take_part(
        self, scenario: Scenario, make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[int], list[Watched]]:
        """Runs the scenario at a seed; gives the agent of the twin and that of the run."""

        def once(seed: int) -> list[Watched]:
            engine = default_engine()
            guard = _Guard(engine)
            watched: list[Watched] = []

            def with_mine(context: Context) -> list[Agent]:
                mine = Watched(make_agent(context), guard)
                watched.append(mine)
                others = [agent for agent in build_agents(context) if agent.name != mine.name]
                return [mine, *others]

            monkeypatch.setattr(simulation, "build_agents", with_mine)
            try:
                run(scenario, seed, guard)
            finally:
                monkeypatch.setattr(simulation, "build_agents", build_agents)
                engine.close()
            for each in watched:
                each.wrong += [f"it called the engine's {name}" for name in guard.attempts]
            return watched

        return once

    def test_it_does_something(self, take_part: Callable[[int], list[Watched]]) -> None:
        """Else the scenario would prove nothing about it."""
        assert any(orders for each in take_part(SEED) for orders in each.orders.values())

    def test_it_is_asked_once_a_block(
        self, take_part: Callable[[int], list[Watched]], scenario: Scenario
    ) -> None:
        for each in take_part(SEED):
            assert list(each.orders) == list(range(1, scenario.clock.blocks))

    def test_the_same_seed_gives_the_same_orders(
        self, take_part: Callable[[int], list[Watched]]
    ) -> None:
        first, second = take_part(SEED), take_part(SEED)
        assert [each.orders for each in first] == [each.orders for each in second]

    def test_it_changes_nothing_itself(self, take_part: Callable[[int], list[Watched]]) -> None:
        """No block, no snapshot, no view, no shared random stream."""
        for each in take_part(SEED):
            assert each.wrong == []

    def test_its_orders_are_in_form(self, take_part: Callable[[int], list[Watched]]) -> None:
        """Its own name, a known action with its gas, an integer bid, one order for a matter."""
        for each in take_part(SEED):
            assert each.malformed == []
