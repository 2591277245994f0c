"""Conformance kit for adapters of lending protocols.

Subclass it and say how to make one:

    class TestMyProtocol(ProtocolConformance):
        @pytest.fixture
        def make_adapter(self):
            return MyAdapter

The first tests hold the adapter to `LendingAdapter`: what it reads is what happened. The last
looks for actions that break an invariant, as `harness.testing.stateful` does, and needs hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import ClassVar

import pytest

from harness.accounts import account
from harness.engine import default_engine
from harness.engine.base import Engine
from harness.errors import Reverted
from harness.protocols.base import Action, AssetBooks, LendingAdapter
from harness.testing.lending import LendingMarket

__all__ = ["MakeAdapter", "ProtocolConformance"]

MakeAdapter = Callable[[], LendingAdapter]
DAY = 24 * 3600


class ProtocolConformance:
    """Subclass this with a ``make_adapter`` fixture.

    Attributes:
        collateral, debt: what is borrowed against what, of `harness.testing.lending.ASSETS`.
        rounding: base units by which one action may differ from exact arithmetic.
        waived: invariants that the protocol does not promise.
        seed, sequences: of the search for actions that break an invariant.

    """

    collateral: ClassVar[str] = "ETH"
    debt: ClassVar[str] = "USDC"
    rounding: ClassVar[int] = 2
    waived: ClassVar[Collection[str]] = ()
    seed: ClassVar[int] = 0
    sequences: ClassVar[int] = 100

    @pytest.fixture
    def make_adapter(self) -> MakeAdapter:
        """Overridden: returns a callable that gives a fresh adapter."""
        raise NotImplementedError("a subclass of ProtocolConformance needs a make_adapter fixture")

    @pytest.fixture
    def make_engine(self) -> Callable[[], Engine]:
        """Makes a fresh engine; the fastest there is unless overridden."""
        return default_engine

    @pytest.fixture
    def market(
        self, make_adapter: MakeAdapter, make_engine: Callable[[], Engine]
    ) -> Iterator[LendingMarket]:
        """The protocol, deployed on an engine of its own."""
        engine = make_engine()
        yield LendingMarket(engine, make_adapter(), waived=self.waived)
        engine.close()

    @pytest.fixture
    def lent(self, market: LendingMarket) -> LendingMarket:
        """With a million dollars to lend and alice's collateral, worth 20,000."""
        market.supply("bank", self.debt, self._worth(market, self.debt, 10**6))
        market.supply("alice", self.collateral, self._worth(market, self.collateral, 20_000))
        return market

    @pytest.fixture
    def borrowed(self, lent: LendingMarket) -> LendingMarket:
        """And alice borrowed half of what she may."""
        lent.borrow("alice", self.debt, lent.room("alice", self.debt) // 2)
        return lent

    def _worth(self, market: LendingMarket, symbol: str, usd: int) -> int:
        return market.units_worth(market.symbols.index(symbol), usd * 10**6)

    def _purses(self, market: LendingMarket, who: str) -> list[int]:
        return [market.balance(who, symbol) for symbol in (self.collateral, self.debt)]

    # Deployment and reading

    def test_two_deployments_are_the_same(
        self, make_adapter: MakeAdapter, make_engine: Callable[[], Engine]
    ) -> None:
        found = []
        for _ in range(2):
            engine = make_engine()
            market = LendingMarket(engine, make_adapter(), waived=self.waived)
            found.append([contract.address for contract in market.contracts])
            engine.close()
        assert found[0] == found[1]

    def test_nothing_is_owed_at_the_start(self, market: LendingMarket) -> None:
        for symbol in market.symbols:
            books = market.books(symbol)
            assert (books.claims, books.debt, books.deficit) == (0, 0, 0)
        for name in (*market.names, "stranger"):
            assert set(market.position(name).values()) == {(0, 0, 0, 0)}

    def test_books_and_positions_have_a_row_for_each_asset(self, market: LendingMarket) -> None:
        books = market.adapter.books(market.engine)
        assert [type(book) for book in books] == [AssetBooks] * len(market.symbols)
        people = [account(name).address for name in ("alice", "bob", "alice")]
        held = market.adapter.positions(market.engine, people)
        assert [len(position) for position in held] == [len(market.symbols)] * 3
        assert market.adapter.positions(market.engine, []) in ([], ())

    def test_positions_are_those_of_the_accounts_in_order(self, borrowed: LendingMarket) -> None:
        people = [account(name).address for name in ("bob", "alice", "bank")]
        held = borrowed.adapter.positions(borrowed.engine, people)
        single = [borrowed.adapter.positions(borrowed.engine, [one])[0] for one in people]
        assert [tuple(position) for position in held] == [tuple(position) for position in single]
        assert any(part.claims for part in held[1])
        assert not any(part.claims for part in held[0])

    def test_collateral_counts_at_a_threshold_below_its_value(self, market: LendingMarket) -> None:
        assert 0 < market.books(self.collateral).threshold_bps <= 10_000

    def test_an_action_is_sent_by_its_sender(self, borrowed: LendingMarket) -> None:
        me = account("alice").address
        place = borrowed.symbols.index(self.debt)
        sent = borrowed.adapter.act(Action("repay", me, me, place, 1))
        assert sent is not None
        assert sent.sender == me

    # What actions do

    def test_supply_is_a_claim(self, market: LendingMarket) -> None:
        amount = self._worth(market, self.debt, 12_345)
        purse = market.balance("bob", self.debt)
        market.supply("bob", self.debt, amount)
        assert purse - market.balance("bob", self.debt) == amount
        assert amount - self.rounding <= market.position("bob")[self.debt].claims <= amount
        assert market.books(self.debt).cash == amount

    def test_withdrawal_of_everything_leaves_nothing(self, market: LendingMarket) -> None:
        amount = self._worth(market, self.debt, 12_345)
        purse = market.balance("bob", self.debt)
        market.supply("bob", self.debt, amount)
        market.withdraw("bob", self.debt)
        assert 0 <= purse - market.balance("bob", self.debt) <= self.rounding
        assert market.position("bob")[self.debt].claims <= self.rounding

    def test_what_is_borrowed_is_paid_out_and_owed(self, lent: LendingMarket) -> None:
        purse, cash = lent.balance("alice", self.debt), lent.books(self.debt).cash
        amount = lent.room("alice", self.debt) // 3
        lent.borrow("alice", self.debt, amount)
        assert lent.balance("alice", self.debt) - purse == amount
        assert cash - lent.books(self.debt).cash == amount
        assert amount <= lent.position("alice")[self.debt].debt <= amount + self.rounding
        assert lent.books(self.debt).debt >= amount

    def test_nothing_is_borrowed_without_collateral(self, lent: LendingMarket) -> None:
        with pytest.raises(Reverted):
            lent.borrow("bob", self.debt, self._worth(lent, self.debt, 1))

    def test_no_more_is_borrowed_than_the_threshold_allows(self, lent: LendingMarket) -> None:
        with pytest.raises(Reverted):
            lent.borrow("alice", self.debt, lent.room("alice", self.debt) * 102 // 100)

    def test_collateral_in_use_cannot_be_withdrawn(self, borrowed: LendingMarket) -> None:
        with pytest.raises(Reverted):
            borrowed.withdraw("alice", self.collateral)

    def test_repayment_of_everything_leaves_no_debt(self, borrowed: LendingMarket) -> None:
        borrowed.wait(DAY)
        borrowed.repay("alice", self.debt)
        assert borrowed.position("alice")[self.debt].debt == 0
        assert borrowed.position("alice")[self.debt].scaled_debt == 0
        borrowed.withdraw("alice", self.collateral)

    def test_time_lowers_neither_debts_nor_claims(self, borrowed: LendingMarket) -> None:
        before = borrowed.position("alice"), borrowed.position("bank")
        borrowed.wait(30 * DAY)
        after = borrowed.position("alice"), borrowed.position("bank")
        for old, new in zip(before, after, strict=True):
            for symbol in borrowed.symbols:
                assert new[symbol].claims >= old[symbol].claims
                assert new[symbol].debt >= old[symbol].debt

    # Liquidation

    def test_healthy_account_is_left_alone(self, borrowed: LendingMarket) -> None:
        with pytest.raises(Reverted):
            borrowed.liquidate("alice", self.collateral, self.debt)

    def test_price_makes_an_account_liquidatable(self, borrowed: LendingMarket) -> None:
        price = borrowed.price_of(self.collateral) * 0.97 / borrowed.health("alice")
        borrowed.price(self.collateral, price)
        assert borrowed.health("alice") == pytest.approx(0.97, abs=0.001)
        position, purses = borrowed.position("alice"), self._purses(borrowed, "liquidator")
        borrowed.liquidate("alice", self.collateral, self.debt)
        after = borrowed.position("alice")
        assert after[self.debt].debt < position[self.debt].debt
        assert after[self.collateral].claims < position[self.collateral].claims
        gained = [
            new - old for new, old in zip(self._purses(borrowed, "liquidator"), purses, strict=True)
        ]
        assert gained[0] > 0 > gained[1]
        worth = borrowed.usd(self.collateral, gained[0]) + borrowed.usd(self.debt, gained[1])
        assert worth > 0

    def test_what_an_account_without_collateral_owes_is_written_off_or_kept(
        self, borrowed: LendingMarket
    ) -> None:
        price = borrowed.price_of(self.collateral) * 0.3 / borrowed.health("alice")
        borrowed.price(self.collateral, price)
        borrowed.liquidate("alice", self.collateral, self.debt)
        books = borrowed.books(self.debt)
        left = borrowed.position("alice")[self.debt].debt
        assert books.deficit or left
        assert books.debt >= left

    # Isolation and invariants

    def test_anchored_actions_leave_nothing_behind(self, borrowed: LendingMarket) -> None:
        def everything() -> list[object]:
            names = [borrowed.position(name) for name in borrowed.names]
            return [*names, *[borrowed.books(symbol) for symbol in borrowed.symbols]]

        before = everything()
        with borrowed.anchor():
            borrowed.wait(DAY)
            borrowed.price(self.collateral, 1)
            borrowed.liquidate("alice", self.collateral, self.debt)
        assert everything() == before
        borrowed.repay("alice", self.debt)

    def test_no_sequence_of_actions_breaks_an_invariant(self, make_adapter: MakeAdapter) -> None:
        from harness.testing.stateful import search

        search(make_adapter, seed=self.seed, sequences=self.sequences, waived=self.waived)
