"""Random actions on a lending protocol, with every standard invariant checked after each.

    outcome = search(PooledMarketAdapter, seed=7)

or as a test class that pytest collects, see `harness.testing.protocol_conformance`. hypothesis
draws sequences of supplies, borrows, repayments, withdrawals, liquidations, price moves and waits,
and shrinks one that breaks an invariant to the shortest it can find. The protocol is deployed once;
every sequence runs in a snapshot of that. The same seed draws the same sequences in the same tests
with the same version of hypothesis.

Needs hypothesis, which the extra ``test`` installs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import Any, ClassVar, NamedTuple

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from harness.accounts import account
from harness.engine import default_engine, open_engine
from harness.errors import InvariantViolation, Reverted, VacuousRun
from harness.protocols.base import ALL, Action, ActionKind, LendingAdapter
from harness.testing.lending import LendingMarket

__all__ = ["LendingMachine", "Outcome", "search"]

BORROWERS = ("alice", "bob", "carol")
DAY = 24 * 3600

_people = st.sampled_from(BORROWERS)
_places = st.integers(0, 7)
#: millionths of a dollar: dust, odd amounts of which none divides another, a million
_amounts = st.sampled_from([1, 3, 1_009, 700_001, 100 * 10**6, 999_983_777, 54_321_098_765, 10**12])
_percents = st.sampled_from([100, 50, 1, 33, 95])


class LendingMachine(RuleBasedStateMachine):
    """The actions. A subclass may add rules of its own: ``self.market`` is the `LendingMarket`,
    ``self.try_`` does an action that may be refused.

    ``market`` and ``done`` are set by `search`.
    """

    market: ClassVar[LendingMarket]
    done: ClassVar[Counter[tuple[str, bool]]]

    def __init__(self) -> None:
        super().__init__()
        self._undo = ExitStack()
        self._undo.enter_context(self.market.anchor())

    def teardown(self) -> None:
        """Back to the protocol as it was deployed."""
        self._undo.close()

    def try_(self, kind: ActionKind, who: str, place: int, amount: int, **more: Any) -> None:
        """Does an action; that it is refused is no failure."""
        me = account(who).address
        action = Action(kind, me, more.pop("account", me), place, amount, **more)
        try:
            self.market.act(action)
        except Reverted:
            self.done[kind, False] += 1
        else:
            self.done[kind, True] += 1

    def place(self, number: int) -> int:
        """One of the market's assets."""
        return number % len(self.market.assets)

    @initialize(
        others_usd=st.sampled_from([1_000_000, 777, 0]),
        asset=_places,
        micro_usd=_amounts,
        percent=_percents,
    )
    def open_with(self, others_usd: int, asset: int, micro_usd: int, percent: int) -> None:
        """What others have supplied of each asset, in dollars, and what alice borrows against
        it, before anything else happens."""
        for place in range(len(self.market.assets)):
            if others_usd:
                amount = self.market.units_worth(place, others_usd * 1_000_003)
                self.try_("supply", "bank", place, amount)
        self.borrow("alice", asset, asset, micro_usd, percent)

    @rule(who=_people, asset=_places, micro_usd=_amounts)
    def supply(self, who: str, asset: int, micro_usd: int) -> None:
        """Supplies so many millionths of a dollar's worth at the first price."""
        place = self.place(asset)
        self.try_("supply", who, place, self.market.units_worth(place, micro_usd))

    @rule(who=_people, asset=_places, collateral=_places, micro_usd=_amounts, percent=_percents)
    def borrow(self, who: str, asset: int, collateral: int, micro_usd: int, percent: int) -> None:
        """Borrows a share of what the collateral allows before it can be liquidated; where there
        is no room, supplies collateral first."""
        place = self.place(asset)
        symbol = self.market.symbols[place]
        if not self.market.room(who, symbol):
            others = len(self.market.assets) - 1
            self.supply(who, place + 1 + collateral % others if others else place, micro_usd)
        room = self.market.room(who, symbol)
        if room:
            self.try_("borrow", who, place, -(-room * percent // 100))

    @rule(who=_people, asset=_places, percent=_percents)
    def withdraw(self, who: str, asset: int, percent: int) -> None:
        """Withdraws a share of the claims, or all there is."""
        place = self.place(asset)
        claims = self._position(who)[place].claims
        if claims:
            amount = ALL if percent == 100 else -(-claims * percent // 100)
            self.try_("withdraw", who, place, amount)

    @rule(who=_people, asset=_places, percent=_percents)
    def repay(self, who: str, asset: int, percent: int) -> None:
        """Repays a share of the debt, or all there is."""
        place = self.place(asset)
        debt = self._position(who)[place].debt
        if debt:
            amount = ALL if percent == 100 else -(-debt * percent // 100)
            self.try_("repay", who, place, amount)

    @rule(who=_people, percent=_percents, health=st.sampled_from([101, 99, 100, 80, 40, 0]))
    def liquidate(self, who: str, percent: int, health: int) -> None:
        """Tries to liquidate an account (the weakest if this one has no debt), its largest debt
        against its largest collateral, where that collateral's price has moved so that its health
        factor is about so many hundredths (0: at the prices there are)."""
        factor = self.market.health(who)
        if factor == float("inf"):
            who, factor = self.market.weakest()
        if factor == float("inf"):
            return
        debt, seized = self.market.largest(who)
        symbol = self.market.symbols[seized]
        if health and factor and debt != seized:
            self.market.price(symbol, self.market.price_of(symbol) * health / (100 * factor))
        owed = self._position(who)[debt].debt
        amount = ALL if percent == 100 else -(-owed * percent // 100)
        them = account(who).address
        self.try_("liquidate", "liquidator", debt, amount, account=them, collateral=seized)

    @rule(asset=_places, percent=st.sampled_from([100, 95, 85, 60, 110]))
    def price(self, asset: int, percent: int) -> None:
        """Publishes a price, as a share of the first."""
        spec = self.market.assets[self.place(asset)]
        self.market.price(spec.symbol, spec.price_usd * percent / 100)

    @rule(seconds=st.sampled_from([12, 3600, DAY, 30 * DAY]))
    def wait(self, seconds: int) -> None:
        """Lets time pass."""
        self.market.wait(seconds)

    def _position(self, who: str) -> Any:
        return list(self.market.position(who).values())


class Outcome(NamedTuple):
    """What a search did without finding anything: actions done and refused, by kind."""

    done: dict[str, int]
    refused: dict[str, int]


def search(
    make_adapter: Callable[[], LendingAdapter],
    *,
    engine: str | None = None,
    seed: int = 0,
    sequences: int = 300,
    steps: int = 30,
    shrink: bool = True,
    machine: type[LendingMachine] = LendingMachine,
    erc20: str = "Token",
    waived: Collection[str] = (),
) -> Outcome:
    """Looks for actions after which an invariant does not hold.

    Args:
        make_adapter: makes the protocol's adapter.
        engine: as `open_engine` takes it; by default the fastest there is.
        seed: fixes what is drawn.
        sequences: how many sequences of actions to try.
        steps: how many actions each has at most.
        shrink: whether to look for a shorter sequence once one is found, which takes far longer
            than finding it.
        machine: the actions, `LendingMachine` or a subclass.
        erc20: the artifact of every token, as `LendingMarket` takes it.
        waived: identifiers of invariants the protocol does not promise.

    Raises:
        InvariantViolation: it found some; the notes hold the shortest sequence.
        VacuousRun: nobody could borrow, or nobody was ever liquidated.
        ScenarioError, EngineError: the protocol cannot be deployed.

    """
    opened = open_engine(engine) if engine else default_engine()
    try:
        market = LendingMarket(opened, make_adapter(), erc20=erc20, waived=waived)
        done: Counter[tuple[str, bool]] = Counter()
        bound = type(machine.__name__, (machine,), {"market": market, "done": done})
        chosen = settings(
            max_examples=sequences,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=False,
            print_blob=False,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(with_seed(seed)(bound), settings=chosen)
        except InvariantViolation as error:
            error.add_note(f"found with seed {seed} on {opened.name}")
            raise
    finally:
        opened.close()
    outcome = Outcome(
        {kind: count for (kind, accepted), count in sorted(done.items()) if accepted},
        {kind: count for (kind, accepted), count in sorted(done.items()) if not accepted},
    )
    for kind in ("borrow", "liquidate"):
        if not outcome.done.get(kind):
            refused = outcome.refused.get(kind, 0)
            raise VacuousRun(f"no {kind} was ever accepted, and {refused} were refused")
    return outcome
