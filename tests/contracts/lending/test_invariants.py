"""The invariants hold on the real contracts, and each catches the contract with its bug planted.

Real contracts and mutants go through the same random actions, from the seed that is printed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from harness.accounts import account
from harness.errors import Reverted
from harness.testing.invariants import (
    INVARIANTS,
    enforce,
    wrong_books,
    wrong_indexes,
    wrong_liquidation,
    wrong_scaled_totals,
    wrong_token_supply,
)
from tests.contracts.mutants import check_caught, planted

WAD = 10**18
RAY = 10**27
PRICE = 10**8
MAX = (1 << 256) - 1
AAVE = (5_000, 95 * 10**16, 2_000 * WAD, 1_000 * WAD)
PEOPLE = ("alice", "bob", "carol", "dave", "bank")
DECIMALS = {"ETH": 18, "USDC": 6}
START = {"ETH": 2_000 * PRICE, "USDC": PRICE}
ACTIONS = 300


class Run:
    """A market under random actions; `problems` are those of the last one, by invariant."""

    def __init__(self, make_rig: Any, rng: random.Random, market: str, token: str) -> None:
        self.rng = rng
        self.rig = rig = make_rig(AAVE, kind=market)
        for symbol, decimals in DECIMALS.items():
            rig.list(
                symbol,
                START[symbol],
                token=rig.chain.deploy(token, symbol, symbol, decimals, account("minter").address),
                protocol_share=1_000,
                reserve_factor=1_000,
                base_rate=RAY // 20,
                slope1=RAY // 20,
                slope2=RAY,
            )
        self.liquidations = self.written_off = 0
        self.books = rig.all_books()

    def step(self) -> dict[str, str]:
        """One action, refused or not, and what it broke."""
        rng, rig = self.rng, self.rig
        if rng.random() < 0.4:
            rig.price("ETH", START["ETH"] * rng.choice([40, 60, 80, 90, 100, 110]) // 100)
        symbol = rng.choice(list(DECIMALS))
        who = rng.choice(PEOPLE[:-1])
        me, bank = account(who).address, account("bank").address
        unit, price = 10 ** DECIMALS[symbol], START[symbol] // PRICE
        amount = int(100_000 ** rng.random() * unit / price) or 1
        for token in DECIMALS:
            rig.fund("bank", token, 10**9 * 10 ** DECIMALS[token])
        asset = rig.asset(symbol)
        action = rng.choices(
            ("supply", "withdraw", "borrow", "repay", "liquidate"), (4, 2, 5, 1, 4)
        )[0]
        after = rng.choice((1, 12, 24 * 3_600))
        try:
            if action == "supply":
                rig.send("bank", "supply", asset, amount, me, after=after)
            elif action == "repay":
                rig.send("bank", "repay", asset, amount, me, after=after)
            elif action == "withdraw":
                amount = MAX if rng.random() < 0.3 else amount
                rig.send(who, "withdraw", asset, amount, me, me, after=after)
            elif action == "borrow":
                amount = self.room(me, symbol) * rng.randint(50, 100) // 100
                rig.send(who, "borrow", asset, amount, me, me, after=after)
            else:
                args = (*self.weakest(), MAX, rng.random() < 0.3, bank)
                receipt = rig.send("bank", "liquidate", *args, after=after)
                return dict(self.problems(receipt.logs))
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
        return dict(self.problems(()))

    def room(self, owner: bytes, symbol: str) -> int:
        """About what the account may still borrow, or what there is."""
        rig = self.rig
        prices = rig.read("pricesWad")
        values = rig.chain.read(rig.lens, "valuesAt", rig.market.address, [owner], prices)
        usd = max(0, values[0] * 8 // 10 - values[1])
        price = dict(zip(DECIMALS, prices, strict=True))[symbol]
        return min(int(usd * 10 ** DECIMALS[symbol] // price), rig.books(symbol).cash)

    def weakest(self) -> tuple[bytes, bytes, bytes]:
        """The account of the lowest health factor, its largest collateral and its largest debt."""
        rig = self.rig
        people = rig.people(*PEOPLE[:-1])
        words = rig.chain.read(rig.lens, "liquidationQuotes", rig.market.address, people)
        health = [words[5 * i] for i in range(len(people))]
        i = health.index(min(health))
        tokens = [token.address for token in rig.tokens.values()]
        return people[i], tokens[words[5 * i + 1]], tokens[words[5 * i + 2]]

    def problems(self, logs: Any) -> Iterator[tuple[str, str]]:
        """What does not hold now, by invariant."""
        rig = self.rig
        before, self.books = self.books, rig.all_books()
        scaled = rig.scaled(*PEOPLE)
        found: list[tuple[str, str | None]] = []
        for symbol, b in self.books.items():
            token, old = rig.tokens[symbol], before[symbol]
            found += [
                (
                    "MKT-1",
                    wrong_books(
                        cash=b.cash,
                        debt=b.debt,
                        deficit=b.deficit,
                        claims=b.claims,
                        reserves=b.reserves,
                        token_balance=rig.chain.balance(token, rig.market),
                    ),
                ),
                (
                    "IDX-1",
                    wrong_indexes(
                        (old.supply_index, old.borrow_index), (b.supply_index, b.borrow_index)
                    ),
                ),
                (
                    "MKT-2",
                    wrong_scaled_totals(
                        [held[symbol][0] << 128 | held[symbol][1] for held in scaled],
                        total_scaled_supply=b.scaled_supply,
                        total_scaled_debt=b.scaled_debt,
                    ),
                ),
                (
                    "TOK-1",
                    wrong_token_supply(
                        [rig.chain.balance(token, a) for a in rig.people(*PEOPLE)]
                        + [rig.chain.balance(token, rig.market)],
                        total_supply=rig.chain.read(token, "totalSupply"),
                    ),
                ),
            ]
        for event in rig.market.events(logs, "Liquidate"):
            self.liquidations += 1
            found.append(
                (
                    "LIQ-1",
                    wrong_liquidation(
                        position_before=event["positionBefore"],
                        prices=event["prices"],
                        health_factor_before=event["healthFactorBefore"],
                        units=[10**decimals for decimals in DECIMALS.values()],
                        threshold_bps=[8_500, 8_500],
                    ),
                )
            )
        self.written_off += len(rig.market.events(logs, "BadDebt"))
        for identifier, problem in found:
            if problem is not None:
                yield identifier, problem


def test_real_contracts_keep_every_invariant(make_rig: Any, rng: random.Random) -> None:
    run = Run(make_rig, rng, "PooledMarket", "Token")
    for _ in range(ACTIONS):
        for identifier, problem in run.step().items():
            enforce(identifier, problem, run.rig.chain.number)
    assert run.liquidations
    assert run.written_off


@pytest.mark.parametrize(
    ("identifier", "market", "token"),
    [
        ("MKT-1", "MarketForgetsDeficit", "Token"),
        ("MKT-2", "MarketDropsDebtDust", "Token"),
        ("LIQ-1", "MarketLiquidatesHealthy", "Token"),
        ("IDX-1", "MarketLowersIndex", "Token"),
        ("TOK-1", "PooledMarket", "TokenMintsOneMore"),
    ],
)
def test_each_planted_bug_is_caught_by_its_invariant(
    make_rig: Any, rng: random.Random, identifier: str, market: str, token: str
) -> None:
    run = Run(make_rig, rng, market, token)
    check_caught(identifier, run.step, ACTIONS)


def test_every_invariant_has_a_planted_bug() -> None:
    assert planted(test_each_planted_bug_is_caught_by_its_invariant) == sorted(INVARIANTS)


def test_what_holds_raises_nothing() -> None:
    enforce("MKT-1", None)


def test_a_market_short_of_tokens_is_found() -> None:
    books = {"cash": 5, "debt": 4, "deficit": 1, "claims": 7, "reserves": 3}
    assert wrong_books(**books, token_balance=5) is None
    assert "holds 4" in (wrong_books(**books, token_balance=4) or "")


def test_a_liquidation_without_debt_or_with_another_health_factor_is_found() -> None:
    event = {"prices": [WAD], "units": [WAD], "threshold_bps": [8_000]}
    word = WAD << 128 | WAD
    half = 8 * WAD // 10
    assert wrong_liquidation(position_before=[word], health_factor_before=half, **event) is None
    assert wrong_liquidation(position_before=[word], health_factor_before=half + 1, **event)
    assert wrong_liquidation(position_before=[WAD << 128], health_factor_before=0, **event)
    # exactly 1 is healthy
    word = 10 * WAD << 128 | 8 * WAD
    assert wrong_liquidation(position_before=[word], health_factor_before=WAD, **event)
