"""Conformance kit for deleveraging policies.

Subclass it and name the policy as a scenario names it:

    class TestMyPolicy(DeleveragingConformance):
        policy = "my_module:MyPolicy"

Its contract is deployed behind a clearing house on an exchange, positions are opened at several
prices, prices crash, and losses that no fund pays are left to winners (`DefaultMarket`). What comes
of the round is read from the chain. Beside that the contract is asked about positions that are
rare: worth nothing, free, or as large as words hold.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import pytest

from harness.engine import default_engine
from harness.engine.base import Engine
from harness.errors import Reverted
from harness.scenario import BPS
from harness.testing.clearing_invariants import (
    STEPS,
    wrong_end_of_round,
    wrong_haircut,
    wrong_line,
    wrong_loss_by_step,
    wrong_pro_rata,
)
from harness.testing.default_round import MARKETS, DefaultMarket, Holding, Outcome
from harness.testing.perp_invariants import wrong_open_interest, wrong_perp_books

__all__ = ["Candidate", "DeleveragingConformance", "Rounds", "candidates"]

DAY = 86_400
_LARGEST = (1 << 127) - 1
_WORD = 1 << 128

#: what closing a part of a position may cost by rounding, at most (ClearingHouse.ROUNDING)
_ROUNDING = 2


class Candidate(NamedTuple):
    """IDeleveragingPolicy.Candidate."""

    long: bool
    value: int
    cost: int
    profit: int
    account_value: int
    wealth: int
    notional: int


def candidates() -> Iterator[Candidate]:
    """Positions in profit that a house may ask about, the rare ones among them."""
    draw = random.Random("candidates")
    yield Candidate(True, 1, 0, 1, 1, 1, 1)
    yield Candidate(False, 0, 1, 1, 1, 1, 0)
    yield Candidate(True, _LARGEST, 0, _LARGEST, _LARGEST, _LARGEST, _LARGEST)
    yield Candidate(True, _LARGEST, 0, _LARGEST, 1, 1, _LARGEST)
    yield Candidate(False, 1, _LARGEST, _LARGEST - 1, _LARGEST, _LARGEST - 1, 1)
    yield Candidate(False, 0, _LARGEST, _LARGEST, 1, 1, 0)
    for _ in range(40):
        cost, profit = (draw.randrange(1, 10 ** draw.randint(1, 18)) for _ in range(2))
        long = draw.random() < 0.5 or profit > cost
        value = cost + profit if long else cost - profit
        account_value = draw.randrange(1, 10 ** draw.randint(1, 18))
        wealth = draw.randint(1, min(profit, account_value))
        yield Candidate(
            long, value, cost, profit, account_value, wealth, value * draw.randint(1, 3)
        )


class Rounds:
    """The rounds that a policy is judged by, each played in several ways when first asked for.

    Args:
        market: where they are played.
        seeds: of the states before them; those without a loss are left out.

    """

    def __init__(self, market: DefaultMarket, seeds: Sequence[int]) -> None:
        self.market = market
        self._seeds = seeds

    def _played(self, **how: Any) -> list[Outcome]:
        found = []
        for seed in self._seeds:
            with self.market.crash(seed) as lost:
                if lost:
                    found.append(self.market.play(**how))
        assert len(found) > 1, "too few of these seeds end in a loss"
        return found

    def asked(self, outcome: Outcome) -> int:
        """The loss as far as the house's severity lets winners be asked for it, at most."""
        return outcome.loss * self.market.severity_bps // BPS

    @cached_property
    def plain(self) -> list[Outcome]:
        """In as few calls as there are stages."""
        return self._played()

    @cached_property
    def later(self) -> list[Outcome]:
        """A day between calls, by somebody else."""
        return self._played(pause=DAY, by="kit-stranger")

    @cached_property
    def in_pieces(self) -> list[Outcome]:
        """An account or a report in every call."""
        return self._played(piece=1)

    @cached_property
    def backwards(self) -> list[Outcome]:
        """The keeper tries to list the last first."""
        return self._played(backwards=True)


class DeleveragingConformance:
    """Subclass this with a ``policy``.

    Attributes:
        policy: a built-in name, or ``module:Class`` as in a scenario.
        fields: further ones of the scenario's clearing house.
        equal_treatment: do accounts that can lose the same and count the same pay the same?
        seeds: of the states that it is tried on.

    """

    policy: ClassVar[str] = ""
    fields: ClassVar[dict[str, Any]] = {}
    equal_treatment: ClassVar[bool] = False
    seeds: ClassVar[Sequence[int]] = range(5)

    @classmethod
    def make_engine(cls) -> Engine:
        """A fresh engine; the fastest there is unless overridden."""
        return default_engine()

    @pytest.fixture(scope="class")
    @classmethod
    def rounds(cls) -> Iterator[Rounds]:
        """Rounds on an engine of their own."""
        if not cls.policy:
            raise NotImplementedError("a subclass of DeleveragingConformance needs a policy")
        engine = cls.make_engine()
        yield Rounds(DefaultMarket(engine, cls.policy, **cls.fields), cls.seeds)
        engine.close()

    # --- who is in line ---------------------------------------------------------------------

    def test_no_winner_is_refused(self, rounds: Rounds) -> None:
        """A policy that reverts for one account keeps the line from being complete for ever."""
        assert [outcome.refused for outcome in rounds.plain] == [""] * len(rounds.plain)
        for candidate in candidates():
            try:
                rounds.market.ask("rank", candidate)
                cap, weight = self._terms(rounds, candidate)
                rounds.market.ask("payment", cap, weight, max(1, cap), max(1, weight))
            except Reverted as error:
                pytest.fail(f"{candidate}: {error}")

    def test_every_winner_has_a_place_in_line(self, rounds: Rounds) -> None:
        """Rank 0 would leave it out, whatever it has gained."""
        for candidate in candidates():
            assert rounds.market.ask("rank", candidate) > 0, candidate
        for outcome in rounds.plain:
            assert outcome.in_line
            for word, (rank, wealth, _, _) in outcome.places.items():
                assert bool(rank) == bool(wealth), word.hex()
            listed = [(outcome.places[word][0], word) for word in outcome.in_line]
            assert wrong_line(listed, [w for w, p in outcome.places.items() if p[1]]) is None

    def test_time_and_caller_do_not_matter(self, rounds: Rounds) -> None:
        self._same(rounds.plain, rounds.later)

    def test_what_calls_are_cut_into_does_not_matter(self, rounds: Rounds) -> None:
        self._same(rounds.plain, rounds.in_pieces)

    def test_order_in_which_a_keeper_lists_does_not_matter(self, rounds: Rounds) -> None:
        self._same(rounds.plain, rounds.backwards)

    # --- how much they pay ------------------------------------------------------------------

    def test_cap_is_at_most_what_the_account_can_lose(self, rounds: Rounds) -> None:
        for candidate in candidates():
            cap, weight = self._terms(rounds, candidate)
            assert cap <= candidate.wealth, candidate
            assert max(cap, weight) < _WORD, candidate
        for outcome in rounds.plain:
            for word, (_, wealth, cap, _) in outcome.places.items():
                assert cap <= wealth, word.hex()

    def test_nobody_is_asked_for_more_than_its_cap_or_the_loss(self, rounds: Rounds) -> None:
        for candidate in candidates():
            cap, weight = self._terms(rounds, candidate)
            for loss in (1, cap // 2, cap, 2 * cap):
                for weights in (weight, 3 * weight):
                    due, _ = rounds.market.ask("payment", cap, weight, loss, weights)
                    assert due <= min(cap, loss), (candidate, loss, weights)
        for outcome in rounds.plain:
            assert sum(turn.due for turn in outcome.turns) <= rounds.asked(outcome)
            for turn in outcome.turns:
                assert turn.due <= outcome.places[turn.account][2], turn.account.hex()

    def test_nobody_pays_more_than_its_profit_and_is_left_below_zero(self, rounds: Rounds) -> None:
        for outcome in rounds.plain:
            for turn in outcome.turns:
                wealth = outcome.places[turn.account][1]
                assert wrong_haircut(paid=turn.paid, profit=wealth) is None
                assert (
                    wrong_haircut(paid=turn.paid, profit=outcome.before[turn.account].profit)
                    is None
                )
            words = [*outcome.defaulters, *(turn.account for turn in outcome.turns)]
            ended = [(outcome.after[w].frozen, outcome.after[w].equity) for w in words]
            assert wrong_end_of_round(ended, unpaid=0, vault_equity=0) is None

    def test_loss_is_paid_as_far_as_caps_go(self, rounds: Rounds) -> None:
        """To less than a unit for each account in line, by which shares are rounded. Where winners
        pay through the price: until those in default are closed, or those in line have no position
        or nothing to lose any more."""
        for outcome in rounds.plain:
            if not rounds.market.ask("atBankruptcyPrice"):
                caps = sum(outcome.places[word][2] for word in outcome.in_line)
                asked = rounds.asked(outcome)
                assert outcome.paid >= min(asked, caps) - len(outcome.in_line)
                continue
            left = {side for side, (_, _, size) in outcome.sides.items() if size}
            if not left:
                assert outcome.residual <= _ROUNDING * _closings(outcome)
            for turn in outcome.turns:
                if turn.paid < outcome.places[turn.account][2] - 1:
                    assert not left & _winning_sides(outcome.after[turn.account]), turn
        if rounds.market.ask("atBankruptcyPrice"):
            assert any(outcome.paid for outcome in rounds.plain)

    def test_loss_is_not_paid_twice(self, rounds: Rounds) -> None:
        """Through the price or with profit, never both; nor more than there is."""
        if rounds.market.ask("atBankruptcyPrice"):
            for candidate in candidates():
                cap, weight = self._terms(rounds, candidate)
                due, _ = rounds.market.ask("payment", cap, weight, cap, weight)
                assert due == 0, candidate
        for outcome in rounds.plain:
            assert outcome.paid <= rounds.asked(outcome) + _closings(outcome)

    def test_equal_accounts_pay_the_same(self, rounds: Rounds) -> None:
        """To the wei; of policies that say they treat equals alike."""
        if not self.equal_treatment:
            pytest.skip("the policy does not say that it treats equals alike")
        pairs = 0
        for outcome in rounds.plain:
            rows = [(*outcome.places[t.account][1:4:2], t.due) for t in outcome.turns]
            pairs += len(rows) - len({row[:2] for row in rows})
            assert wrong_pro_rata(rows) is None
        assert pairs, "no two accounts were equal"

    # --- what is closed, and who is left alone ----------------------------------------------

    def test_nobody_is_closed_beyond_its_position(self, rounds: Rounds) -> None:
        for size in (1, 7, 10**18, _LARGEST):
            for total in (1, size, _LARGEST):
                for closable in (size, _LARGEST):
                    assert rounds.market.ask("closing", size, total, closable) <= size
        for outcome in rounds.plain:
            for turn in outcome.turns:
                before, after = outcome.before[turn.account], outcome.after[turn.account]
                for old, new in zip(before.sizes, after.sizes, strict=True):
                    assert 0 <= new <= old or old <= new <= 0, turn.account.hex()

    def test_what_is_closed_of_winners_is_closed_of_those_in_default(self, rounds: Rounds) -> None:
        """To the last unit of size; the vault has what is left of it."""
        for outcome in rounds.plain:
            for side, (total, _, left) in outcome.sides.items():
                closed = 0
                for turn in outcome.turns:
                    before, after = outcome.before[turn.account], outcome.after[turn.account]
                    old, new = before.sizes[side // 2], after.sizes[side // 2]
                    closed += abs(old - new) if old and _side(side // 2, old) == side else 0
                assert closed == total - left
                held = [outcome.before[word].sizes[side // 2] for word in outcome.defaulters]
                assert total == sum(
                    abs(size) for size in held if size and _side(0, size) != side % 2
                )

    def test_what_an_account_loses_is_what_it_is_said_to_pay(self, rounds: Rounds) -> None:
        """Nobody else's account is touched, least of all on the losing side."""
        for outcome in rounds.plain:
            paid = {turn.account: turn.paid for turn in outcome.turns}
            reserve = _ROUNDING * len(MARKETS) * len(outcome.defaulters)
            for word, before in outcome.before.items():
                after = outcome.after[word]
                if word in paid:
                    lost = before.equity - after.equity
                    assert paid[word] - reserve <= lost <= paid[word] + reserve, word.hex()
                elif word not in outcome.defaulters:
                    assert after == before, word.hex()

    # --- what is left -----------------------------------------------------------------------

    def test_deficit_left_is_the_loss_less_what_was_paid(self, rounds: Rounds) -> None:
        at_price = rounds.market.ask("atBankruptcyPrice")
        for outcome in rounds.plain:
            by_price = sum(
                event["unpaid"] * rounds.market.severity_bps // BPS
                for event in outcome.taken
                if event["account"] in outcome.defaulters
            )
            paid = [
                amount
                for step, amount in outcome.payments
                if not (at_price and STEPS[step] == "deleveraging")
            ]
            assert (
                wrong_loss_by_step(
                    losses=sum(event["loss"] for event in outcome.taken),
                    residuals=outcome.residual,
                    paid=paid,
                    by_price=by_price if at_price else 0,
                    unpaid=outcome.unpaid,
                )
                is None
            )
            assert outcome.unpaid == outcome.books[3]

    def test_exchange_adds_up_to_the_wei(self, rounds: Rounds) -> None:
        for outcome in rounds.plain:
            cash, vault, fees, deficit = outcome.books
            assert (
                wrong_perp_books(
                    cash=cash,
                    vault_cash=vault,
                    fees=fees,
                    deficit=deficit,
                    token_balance=outcome.tokens,
                )
                is None
            )
            assert sum(each.cash for each in outcome.after.values()) == cash
            for market, (longs, shorts) in enumerate(outcome.open_interest):
                sizes = [each.sizes[market] for each in outcome.after.values()]
                assert wrong_open_interest(sizes, long_size=longs, short_size=shorts) is None

    # ----------------------------------------------------------------------------------------

    @staticmethod
    def _terms(rounds: Rounds, candidate: Candidate) -> tuple[int, int]:
        cap, weight = rounds.market.ask("terms", candidate.wealth, candidate.notional)
        return cap, weight

    @staticmethod
    def _same(expected: list[Outcome], found: list[Outcome]) -> None:
        for one, other in zip(expected, found, strict=True):
            assert other.refused == one.refused
            assert other.turns == one.turns
            assert other.after == one.after
            assert (other.residual, other.unpaid) == (one.residual, one.unpaid)


def _side(market: int, size: int) -> int:
    """Longs of a market are side 2 * market, shorts the next."""
    return 2 * market + (0 if size > 0 else 1)


def _winning_sides(held: Holding) -> set[int]:
    """Sides on which an account has a position in profit."""
    pairs = enumerate(zip(held.sizes, held.gains, strict=True))
    return {_side(market, size) for market, (size, gain) in pairs if gain > 0}


def _closings(outcome: Outcome) -> int:
    """The most there can be, each of which is rounded."""
    return len(outcome.turns) * len(outcome.defaulters) * len(MARKETS)
