"""The invariants hold on the real contracts, and each catches the contract with its bug planted.

Real contracts and mutants go through the same random actions, from the seed that is printed.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from harness.accounts import account
from harness.errors import Reverted
from harness.testing.invariants import enforce
from harness.testing.perp_invariants import (
    PERP_INVARIANTS,
    wrong_funding,
    wrong_open_interest,
    wrong_perp_accounts,
    wrong_perp_books,
    wrong_perp_liquidation,
)
from tests.contracts.mutants import check_caught, planted

WAD = 10**18
RAY = 10**27
BPS = 10_000
PRICE = 10**8
NO_CAP = (1 << 128) - 1
MAX = (1 << 256) - 1
USDC = 10**6
WORD = 1 << 256
PEOPLE = ("alice", "bob", "carol", "dave")
SUBS = (0, 1)
START = {"ETH": 2_000, "BTC": 40_000}
TIERS = ((50_000 * USDC, 500, 350, 250, BPS), (NO_CAP, 1_000, 700, 500, 2_500))
MUTANT_ACTIONS = 800


def signed(word: int) -> int:
    return word - WORD if word >> 255 else word


class Run:
    """An exchange under random actions; problems are those of the last one, by invariant."""

    def __init__(
        self,
        make_rig: Any,
        rng: random.Random,
        kind: str = "PerpExchange",
        liquidation_part: str = "PerpLiquidation",
    ) -> None:
        self.rng = rng
        self.rig = rig = make_rig(
            decimals=6,
            settlement_feed=True,
            vault=5_000_000,
            kind=kind,
            liquidation_part=liquidation_part,
            keeper_fee=5 * USDC,
            backstop=3_000,
            fee_vault=3_333,
            fee_insurance=3_333,
            vault_floor=5_050_000 * USDC,
        )
        for symbol, price in START.items():
            rig.market(
                symbol,
                price * PRICE,
                TIERS,
                skew_scale=20_000_000 * WAD // price,
                maker_fee=233,
                taker_fee=577,
                premium_bound=200,
                premium_decay=RAY * 999 // 1_000,
                funding_slope=WAD // 3,
                interest=WAD // 3_333,
                funding_cap=WAD // 10,
                liquidation_fee=125,
                liquidator_share=4_567,
                cooldown=30,
                partial_steps=1,
                band=3_000,
                band_decay=RAY * 999 // 1_000,
                volatility_target=WAD,
                volatility_decay=RAY * 999 // 1_000,
                open_interest_slope=5_000,
            )
        rig.collateral("WETH", 2_000 * PRICE, depth=5_000_000, haircut=1_500)
        rig.collateral("WBTC", 40_000 * PRICE, decimals=8, depth=5_000_000, haircut=1_000)
        self.probe = rig.chain.deploy("PerpWaterfallProbe", rig.exchange.address)
        rig.send("admin", "setWaterfall", self.probe.address)
        self.bank = account("bank").address
        for symbol, token in rig.tokens.items():
            rig.chain.mint(token, self.bank, 10**30)
            for spender in (rig.exchange, rig.vault):
                rig.chain.approve(self.bank, token, spender)
            assert symbol
        self.units = [10**18, 10**8]
        self.prices = dict(START)
        self.words = [
            rig.word(who, sub, isolated)
            for who in PEOPLE
            for sub, isolated in ((0, None), (1, None), (0, "ETH"))
        ]
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.takers: Counter[int] = Counter()

    def step(self) -> dict[str, str]:
        """One action, refused or not, and what it broke."""
        rng = self.rng
        if rng.random() < 0.6:
            self.move_price()
        name = rng.choices(
            (
                "trade",
                "deposit",
                "withdraw",
                "move",
                "liquidate",
                "unwind",
                "call",
                "vault",
                "fall",
            ),
            (34, 12, 2, 3, 18, 1, 3, 2, 8),
        )[0]
        logs: Sequence[Any] = ()
        try:
            receipt = getattr(self, name)(rng.choice((1, 1, 12, 40, 7_200)))
            logs = receipt.logs
            self.done[name] += 1
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
            self.refused[str(error).partition("(")[0]] += 1
        return dict(self.problems(logs))

    # --- actions

    def move_price(self) -> None:
        rng, rig = self.rng, self.rig
        symbol = rng.choice(["ETH", "BTC", "ETH", "BTC", "WETH", "USD"])
        if symbol == "USD":
            rig.price("USD", rng.randint(97_000_000, 101_000_000))
            return
        base = "ETH" if symbol == "WETH" else symbol
        old = self.prices.get(symbol, START[base])
        new = old * rng.choice([88, 96, 98, 98, 99, 99, 101, 101, 102, 102, 104, 110]) / 100
        self.prices[symbol] = min(START[base] * 3, max(START[base] / 3, new))
        rig.price(symbol, int(self.prices[symbol] * PRICE))

    def owner(self, word: bytes) -> str:
        return next(who for who in PEOPLE if account(who).address == word[:20])

    def trade(self, after: int) -> Any:
        rng, rig = self.rng, self.rig
        word = rng.choice(self.words)
        isolated = any(word[20:22]) and rng.random() < 0.95
        symbol = "ETH" if isolated else rng.choice(list(START))
        held = rig.held([word])[0].positions.get(symbol)
        if held and rng.random() < 0.4:
            size = -held.size * rng.choice([1, 1, 2]) // rng.choice([1, 2, 3])
        else:
            worth = signed(rig.lens_words("margins", [word])[0]) / USDC
            notional = max(500, worth) * rng.choice([1, 4, 8, 13, 17, 19])
            size = rng.choice([1, -1]) * int(notional * WAD / self.prices[symbol])
        limit = MAX if size > 0 else 0
        return rig.send(self.owner(word), "trade", word, rig.id(symbol), size, limit, after=after)

    def deposit(self, after: int) -> Any:
        rng, rig = self.rng, self.rig
        symbol, unit = rng.choice([("USD", USDC), ("USD", USDC), ("WETH", 5e14), ("WBTC", 2500)])
        amount = int(5_000 ** rng.random() * unit) + 1
        word = rng.choice([*self.words, rig.word("insurance")])
        if word == rig.word("insurance") and symbol == "USD" and rng.random() < 0.3:
            amount *= 20
        token = rig.tokens[symbol].address
        return rig.send("bank", "deposit", word, token, amount, after=after)

    def withdraw(self, after: int) -> Any:
        rng, rig = self.rng, self.rig
        word = rng.choice(self.words)
        held = rig.held([word])[0]
        symbol = rng.choice(["USD", "WETH", "WBTC"])
        most = held.cash if symbol == "USD" else held.collateral[symbol]
        amount = rng.randint(0, max(0, most)) if rng.random() < 0.9 else max(0, most) + 1
        token = rig.tokens[symbol].address
        me = self.owner(word)
        return rig.send(me, "withdraw", word, token, amount, self.bank, after=after)

    def move(self, after: int) -> Any:
        rng, rig = self.rng, self.rig
        a = rng.choice(self.words)
        b = rng.choice([word for word in self.words if word[:20] == a[:20]])
        symbol = rng.choice(["USD", "WETH"])
        held = rig.held([a])[0]
        most = held.cash if symbol == "USD" else held.collateral[symbol]
        token = rig.tokens[symbol].address
        amount = rng.randint(0, max(0, most))
        return rig.send(self.owner(a), "move", a, b, token, amount, after=after)

    def liquidate(self, after: int) -> Any:
        rng, rig = self.rng, self.rig
        words = [*self.words, rig.word("insurance")]
        quotes = rig.lens_words("liquidationQuotes", words)
        ratios = [signed(ratio) for ratio in quotes[::6]]
        i = ratios.index(min(ratios)) if rng.random() < 0.8 else rng.randrange(len(words))
        return rig.send("bank", "liquidate", words[i], quotes[6 * i + 2], after=after)

    def unwind(self, after: int) -> Any:
        market = self.rng.randrange(2)
        return self.rig.send("bank", "unwind", market, MAX >> self.rng.randint(1, 200), after=after)

    def call(self, after: int) -> Any:
        word = self.rng.choice(self.words)
        name = self.rng.choice(["call", "endCall"])
        return self.rig.send("bank", name, word, after=after)

    def vault(self, after: int) -> Any:
        rig, bank = self.rig, self.bank
        if self.rng.random() < 0.6:
            amount = self.rng.randint(0, 10**11)
            return rig.chain.send(bank, rig.vault, "deposit", amount, bank, after=after)
        shares = rig.chain.balance(rig.vault, bank)
        shares = self.rng.randint(0, shares)
        return rig.chain.send(bank, rig.vault, "redeem", shares, bank, after=after)

    def fall(self, after: int) -> Any:
        """One of the waterfall's steps."""
        rng, rig = self.rng, self.rig
        held = rig.held(self.words)
        lost = [i for i in range(len(held)) if held[i].in_default]
        if not lost or rng.random() < 0.1:
            names = ["chargeInsurance", "chargeVault", "haircut", "coverDeficit"]
            name, amount = rng.choice(names), rng.randint(0, max(1, rig.books().deficit))
            if name == "coverDeficit":
                return rig.send("bank", name, amount, after=after)
            args = [rng.choice(self.words), amount] if name == "haircut" else [amount]
            return self.run(name, *args, after=after)
        i = rng.choice(lost)
        word, open_ = self.words[i], held[i].positions
        if not open_:
            return self.run("writeOff", word, after=after)
        symbol = rng.choice(list(open_))
        market, size = rig.id(symbol), open_[symbol].size
        others = [
            j
            for j, other in enumerate(held)
            if symbol in other.positions and (other.positions[symbol].size < 0) != (size < 0)
        ]
        if not others:
            return self.run("closeToVault", word, market, after=after)
        j = rng.choice(others)
        most = min(abs(size), abs(held[j].positions[symbol].size))
        mark = rig.state(symbol).mark
        price = mark * rng.randint(90, 110) // 100
        size = rng.randint(1, most) if rng.random() < 0.5 else most
        return self.run("closePair", word, self.words[j], market, size, price, after=after)

    def run(self, name: str, *args: Any, after: int) -> Any:
        data = self.rig.exchange.encode(name, *args)
        return self.rig.chain.send(self.bank, self.probe, "run", data, after=after)

    # --- checks

    def problems(self, logs: Any) -> Iterator[tuple[str, str]]:
        """What does not hold now, by invariant."""
        rig = self.rig
        words = rig.lens_words("books")
        books = rig.books()
        everyone = [*self.words, rig.word("insurance"), rig.word("bank")]
        held = rig.held(everyone)
        collateral = list(zip(words[7::2], words[8::2], strict=True))
        found: list[tuple[str, str | None]] = [
            (
                "PRP-1",
                wrong_perp_books(
                    cash=books.cash,
                    vault_cash=books.vault,
                    fees=books.fees,
                    deficit=books.deficit,
                    token_balance=books.tokens,
                    collateral=collateral,
                ),
            ),
            ("PRP-5", wrong_perp_accounts([h.cash for h in held], total=books.cash)),
        ]
        for (total, _), symbol in zip(collateral, rig.collaterals, strict=True):
            amounts = [h.collateral[symbol] for h in held]
            found.append(("PRP-5", wrong_perp_accounts(amounts, total=total, what=symbol)))
        for symbol in START:
            state = rig.state(symbol)
            open_ = [h.positions[symbol] for h in held if symbol in h.positions]
            # funding of this block is not accrued in storage: the base is what is stored
            found += [
                (
                    "PRP-2",
                    wrong_open_interest(
                        [p.size for p in open_], long_size=state.long, short_size=state.short
                    ),
                ),
                (
                    "PRP-4",
                    wrong_funding(
                        [(p.size, p.cost, p.funding_index) for p in open_],
                        funding_base=state.funding_base,
                        total_cost=state.cost,
                    ),
                ),
            ]
        for name in ("Liquidation", "Takeover"):
            for event in rig.exchange.events(logs, name):
                self.done[name] += 1
                self.takers[event.get("by", -1)] += 1
                found.append(
                    (
                        "PRP-3",
                        wrong_perp_liquidation(
                            before=event["before"],
                            prices=event["prices"],
                            equity_before=event["equityBefore"],
                            maintenance_before=event["maintenanceBefore"],
                            tiers=[[(tier[0], tier[3]) for tier in TIERS]] * 2,
                            value_scale=rig.scale,
                            units=self.units,
                            haircut_bps=[1_500, 1_000],
                        ),
                    )
                )
        for identifier, problem in found:
            if problem is not None:
                yield identifier, problem


def run_many(make_rig: Any, rng: random.Random, actions: int) -> Run:
    run = Run(make_rig, rng)
    for _ in range(actions):
        for identifier, problem in run.step().items():
            enforce(identifier, problem, run.rig.chain.number)
    print(run.done, run.refused, run.takers)
    assert {"Liquidation", "Takeover", "trade", "withdraw", "move", "fall"} <= set(run.done)
    assert run.takers[1]
    return run


def test_random_actions_keep_every_invariant_to_the_wei(make_rig: Any, rng: random.Random) -> None:
    run_many(make_rig, rng, int(os.environ.get("HARNESS_TEST_PERP_ACTIONS", "1500")))


@pytest.mark.slow
def test_ten_thousand_random_actions_keep_every_invariant_to_the_wei(
    make_rig: Any, rng: random.Random
) -> None:
    run = run_many(make_rig, rng, 10_000)
    assert all(run.takers[by] for by in (1, 2, 3))


@pytest.mark.parametrize(
    ("identifier", "kind", "liquidation_part"),
    [
        ("PRP-1", "PerpForgetsFee", "PerpLiquidation"),
        ("PRP-2", "PerpForgetsOpenInterest", "PerpLiquidation"),
        ("PRP-3", "PerpExchange", "PerpLiquidatesHealthy"),
        ("PRP-4", "PerpForgetsFunding", "PerpLiquidation"),
        ("PRP-5", "PerpCreditsOneMore", "PerpLiquidation"),
    ],
)
def test_each_planted_bug_is_caught_by_its_invariant(
    make_rig: Any, rng: random.Random, identifier: str, kind: str, liquidation_part: str
) -> None:
    run = Run(make_rig, rng, kind, liquidation_part)
    check_caught(identifier, run.step, MUTANT_ACTIONS)


def test_every_invariant_has_a_planted_bug() -> None:
    assert planted(test_each_planted_bug_is_caught_by_its_invariant) == sorted(PERP_INVARIANTS)
