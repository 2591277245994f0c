"""The pool: Uniswap v2's amounts, prices and refusals, to the wei.

Without a fee, a sale of a = dx/x of the base reserve costs a/(1+a) of the spot price on average,
and moves the spot price by 1 - 1/(1+a)^2.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.contracts import Artifact, Contract, parse_artifact

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

PIPS = 10**6
ETHER = 10**18
WORD = 1 << 256
MAX_RESERVE = (1 << 112) - 1
MINIMUM_LIQUIDITY = 1000


def largest_output(reserve_in: int, reserve_out: int, amount_in: int, fee_pips: int) -> int:
    """Largest output that leaves the product of the reserves, net of the fee, no smaller.

    What has to stay is the smallest integer y with (in reserve + net input) * y >= product.
    """
    net_reserve_in = (reserve_in + amount_in) * PIPS - amount_in * fee_pips
    stays = -(-reserve_in * reserve_out * PIPS // net_reserve_in)
    return reserve_out - stays


class PoolModel:
    """The pool in Python integers."""

    def __init__(self, reserve0: int, reserve1: int, fee_pips: int, now: int) -> None:
        self.reserves = [reserve0, reserve1]
        self.supply = isqrt(reserve0 * reserve1)
        self.fee_pips = fee_pips
        self.cumulative = [0, 0]
        self.updated_at = now

    def update(self, reserve0: int, reserve1: int, now: int) -> None:
        """Lets the old prices count until now, then takes the new reserves."""
        elapsed = (now - self.updated_at) % (1 << 32)
        old0, old1 = self.reserves
        for i, (over, under) in enumerate(((old1, old0), (old0, old1))):
            self.cumulative[i] = (self.cumulative[i] + over * 2**112 // under * elapsed) % WORD
        self.reserves = [reserve0, reserve1]
        self.updated_at = now


@pytest.fixture
def pair(chain: Chain) -> tuple[Contract, Contract]:
    return chain.token("ETH", 18), chain.token("USDC", 6)


def _sell(chain: Chain, pool: Contract, token: Contract, is_first: bool, amount_in: int) -> int:
    """Swap the largest possible output for this input; returns it."""
    amount_out: int = chain.read(pool, "getAmountOut", token.address, amount_in)
    chain.mint(token, pool.address, amount_in)
    outputs = (0, amount_out) if is_first else (amount_out, 0)
    chain.send(chain.address("trader"), pool, "swap", *outputs, chain.address("trader"), b"")
    return amount_out


@pytest.mark.parametrize(
    ("fee_pips", "slippage", "spot_fall"), [(0, 0.0909, 0.1736), (3000, 0.0934, 0.1733)]
)
def test_selling_a_tenth_of_the_reserve_slips_and_moves_the_price_as_the_formula_says(
    chain: Chain,
    pair: tuple[Contract, Contract],
    fee_pips: int,
    slippage: float,
    spot_fall: float,
) -> None:
    eth, usdc = pair
    base, quote = 1000 * ETHER, 2_000_000 * 10**6
    pool = chain.pool(eth, usdc, base, quote, fee_pips)
    sold = base // 10
    paid = _sell(chain, pool, eth, True, sold)
    after = chain.reserves(pool)

    net = Fraction(PIPS - fee_pips, PIPS)
    exact_paid = quote * net * sold / (base + net * sold)
    assert 0 <= exact_paid - paid < 1
    measured_slippage = 1 - Fraction(paid, sold) / Fraction(quote, base)
    measured_fall = 1 - Fraction(after[1], after[0]) / Fraction(quote, base)
    assert round(float(measured_slippage), 4) == slippage
    assert round(float(measured_fall), 4) == spot_fall
    if fee_pips == 0:
        a = Fraction(1, 10)
        assert abs(measured_slippage - a / (1 + a)) < Fraction(1, 10**11)
        assert abs(measured_fall - (1 - 1 / (1 + a) ** 2)) < Fraction(1, 10**11)


@pytest.mark.parametrize("decimals", [(18, 6), (8, 18), (6, 8)])
@pytest.mark.parametrize("fee_pips", [0, 1, 3000, 999_999])
def test_thousands_of_random_swaps_match_an_independent_model(
    chain: Chain, decimals: tuple[int, int], fee_pips: int, rng: random.Random
) -> None:
    tokens = (chain.token("A", decimals[0]), chain.token("B", decimals[1]))
    trader = chain.address("trader")
    start = [rng.randint(1, 10**6) * 10**d + rng.randint(0, 10**6) for d in decimals]
    pool = chain.pool(*tokens, start[0], start[1], fee_pips)
    model = PoolModel(start[0], start[1], fee_pips, chain.now)
    swaps = 0
    for _ in range(400):
        side = rng.randrange(2)
        before = list(model.reserves)
        amount_in = max(1, int(before[side] * 10 ** rng.uniform(-9, 0.3)))
        expected = largest_output(before[side], before[1 - side], amount_in, fee_pips)
        assert chain.read(pool, "getAmountOut", tokens[side].address, amount_in) == expected
        if before[side] + amount_in > MAX_RESERVE:
            continue
        chain.mint(tokens[side], pool.address, amount_in)
        greedy = (0, expected + 1) if side == 0 else (expected + 1, 0)
        refusal = (
            "InsufficientLiquidity" if expected + 1 >= before[1 - side] else "ProductDecreased"
        )
        with chain.reverts(refusal):
            chain.send(trader, pool, "swap", *greedy, trader, b"")
        if expected == 0:
            chain.send(trader, pool, "skim", trader)
            continue
        exact = (0, expected) if side == 0 else (expected, 0)
        receipt = chain.send(trader, pool, "swap", *exact, trader, b"", after=rng.randint(1, 3600))
        after = [before[0], before[1]]
        after[side] += amount_in
        after[1 - side] -= expected
        model.update(after[0], after[1], chain.now)
        assert pool.events(receipt.logs, "Swap") == [
            {
                "sender": trader,
                "amount0In": amount_in if side == 0 else 0,
                "amount1In": amount_in if side == 1 else 0,
                "amount0Out": exact[0],
                "amount1Out": exact[1],
                "to": trader,
            }
        ]
        assert pool.events(receipt.logs, "Sync") == [{"reserve0": after[0], "reserve1": after[1]}]
        assert list(chain.reserves(pool)) == after
        assert [chain.balance(token, pool) for token in tokens] == after
        swaps += 1
    assert swaps > 100
    assert chain.read(pool, "price0CumulativeLast") == model.cumulative[0]
    assert chain.read(pool, "price1CumulativeLast") == model.cumulative[1]


def test_thirty_basis_points_is_uniswaps_formula(
    chain: Chain, pair: tuple[Contract, Contract], rng: random.Random
) -> None:
    eth, usdc = pair
    for _ in range(20):
        reserves = (rng.randint(10**6, 10**27), rng.randint(10**6, 10**27))
        pool = chain.pool(eth, usdc, *reserves)
        for _ in range(50):
            amount = rng.randint(1, 10 ** rng.randint(1, 30))
            # UniswapV2Library.getAmountOut, v2-periphery
            expected = amount * 997 * reserves[1] // (reserves[0] * 1000 + amount * 997)
            assert chain.read(pool, "getAmountOut", eth.address, amount) == expected


def test_average_price_over_time_is_what_the_accumulator_says(
    chain: Chain, pair: tuple[Contract, Contract], rng: random.Random
) -> None:
    eth, usdc = pair
    pool = chain.pool(eth, usdc, 1000 * ETHER, 2_000_000 * 10**6)
    started = chain.now
    weighted, seconds = Fraction(0), 0
    for _ in range(50):
        chain.mint(eth, pool.address, rng.randint(1, 20) * ETHER)
        price = Fraction(*reversed(chain.reserves(pool)))
        since = chain.read(pool, "getReserves")[2]
        chain.send(chain.address("anyone"), pool, "sync", after=rng.randint(1, 900))
        weighted += price * (chain.now - since)
        seconds += chain.now - since
    assert seconds == chain.now - started
    average = Fraction(chain.read(pool, "price0CumulativeLast"), seconds * 2**112)
    assert 0 <= weighted / seconds - average < Fraction(1, 2**112)


def test_the_clock_may_wrap_round_32_bits(chain: Chain, pair: tuple[Contract, Contract]) -> None:
    eth, usdc = pair
    pool = chain.pool(eth, usdc, 1000 * ETHER, 2_000_000 * 10**6)
    chain.send(chain.address("anyone"), pool, "sync", after=(1 << 32) - 10 - chain.now)
    before = chain.read(pool, "price0CumulativeLast")
    chain.send(chain.address("anyone"), pool, "sync", after=25)
    assert chain.read(pool, "getReserves")[2] == 15
    price = 2_000_000 * 10**6 * 2**112 // (1000 * ETHER)
    assert chain.read(pool, "price0CumulativeLast") - before == 25 * price
    chain.send(chain.address("anyone"), pool, "sync", after=1)
    assert chain.read(pool, "price0CumulativeLast") - before == 26 * price


def test_reserves_up_to_112_bits_trade_and_no_further(
    chain: Chain, pair: tuple[Contract, Contract]
) -> None:
    eth, usdc = pair
    half = 1 << 111
    pool = chain.pool(eth, usdc, half, half, 1)  # net products pass 2^256 here
    amount = half - 1
    expected = largest_output(half, half, amount, 1)
    chain.mint(eth, pool.address, amount)
    with chain.reverts("ProductDecreased"):
        chain.send(chain.address("t"), pool, "swap", 0, expected + 1, chain.address("t"), b"")
    chain.send(chain.address("t"), pool, "swap", 0, expected, chain.address("t"), b"")
    assert chain.reserves(pool) == (MAX_RESERVE, half - expected)
    chain.mint(eth, pool.address, 1)
    with chain.reverts("ReserveOverflow", MAX_RESERVE + 1, half - expected):
        chain.send(chain.address("t"), pool, "sync")


def test_first_mint_is_the_geometric_mean_less_what_is_locked(
    chain: Chain, pair: tuple[Contract, Contract]
) -> None:
    eth, usdc = pair
    pool = chain.deploy("ConstantProductPool", eth.address, usdc.address, 3000)
    lp = chain.address("lp")
    chain.mint(eth, pool.address, MINIMUM_LIQUIDITY)
    chain.mint(usdc, pool.address, MINIMUM_LIQUIDITY)
    with chain.reverts("InsufficientLiquidityMinted"):
        chain.send(lp, pool, "mint", lp)
    chain.mint(eth, pool.address, 9000)
    chain.mint(usdc, pool.address, 39_000)
    receipt = chain.send(lp, pool, "mint", lp)
    assert pool.events(receipt.logs, "Mint") == [
        {"sender": lp, "amount0": 10_000, "amount1": 40_000}
    ]
    assert chain.balance(pool, lp) == 20_000 - MINIMUM_LIQUIDITY
    assert chain.balance(pool, bytes(20)) == MINIMUM_LIQUIDITY
    assert chain.read(pool, "totalSupply") == 20_000


def test_a_burn_that_would_pay_nothing_of_one_token_is_refused(
    chain: Chain, pair: tuple[Contract, Contract]
) -> None:
    for reserves in ((10**6, 9 * 10**6), (9 * 10**6, 10**6)):
        pool = chain.pool(*pair, *reserves)  # a share is 1/3 wei of the one and 3 of the other
        lp = chain.address("lp")
        chain.send(lp, pool, "transfer", pool.address, 2)
        with chain.reverts("InsufficientLiquidityBurned"):
            chain.send(lp, pool, "burn", lp)
        chain.send(lp, pool, "transfer", pool.address, 1)
        receipt = chain.send(lp, pool, "burn", lp)
        (event,) = pool.events(receipt.logs, "Burn")
        assert {event["amount0"], event["amount1"]} == {1, 9}


def test_mint_and_burn_are_pro_rata_and_never_dilute(
    chain: Chain, pair: tuple[Contract, Contract], rng: random.Random
) -> None:
    eth, usdc = pair
    router = chain.deploy("SwapRouter")
    people = [chain.address("person", i) for i in range(3)]
    pool = chain.pool(eth, usdc, 10**9 + 7, 3 * 10**9 + 11)
    for person in people:
        chain.mint(eth, person, 10**12)
        chain.mint(usdc, person, 10**12)
        for token in (eth, usdc, pool):
            chain.approve(person, token, router)
    for _ in range(400):
        person = rng.choice(people)
        r0, r1 = chain.reserves(pool)
        supply = chain.read(pool, "totalSupply")
        held = chain.balance(pool, person)
        action = rng.choice(["add", "remove", "swap"])
        if action == "add":
            amounts = (rng.randint(1, 10**7), rng.randint(1, 10**7))
            expected = min(amounts[0] * supply // r0, amounts[1] * supply // r1)
            if expected == 0:
                with chain.reverts("InsufficientLiquidityMinted"):
                    chain.send(person, router, "addLiquidity", pool.address, *amounts, person)
                continue
            receipt = chain.send(person, router, "addLiquidity", pool.address, *amounts, person)
            assert router.decode("addLiquidity", receipt.output or b"") == expected
            assert chain.balance(pool, person) == held + expected
        elif action == "remove":
            burned = rng.randint(0, held)
            out = (burned * r0 // supply, burned * r1 // supply)
            if 0 in out:
                with chain.reverts("InsufficientLiquidityBurned"):
                    chain.send(person, router, "removeLiquidity", pool.address, burned, person)
                continue
            receipt = chain.send(person, router, "removeLiquidity", pool.address, burned, person)
            assert router.decode("removeLiquidity", receipt.output or b"") == out
            assert chain.reserves(pool) == (r0 - out[0], r1 - out[1])
        else:
            amount = rng.randint(1, 10**6)
            out_usdc = largest_output(r0, r1, amount, 3000)
            if out_usdc == 0:
                continue
            chain.send(
                person, router, "swapExactIn", pool.address, eth.address, amount, out_usdc, person
            )
        n0, n1 = chain.reserves(pool)
        new_supply = chain.read(pool, "totalSupply")
        # a share's claim on sqrt(r0 r1) never falls
        assert n0 * n1 * supply**2 >= r0 * r1 * new_supply**2
    holders = [*people, chain.address("lp"), bytes(20)]
    assert sum(chain.balance(pool, h) for h in holders) == chain.read(pool, "totalSupply")


def test_router_refuses_less_than_asked_and_holds_nothing(
    chain: Chain, pair: tuple[Contract, Contract]
) -> None:
    eth, usdc = pair
    pool = chain.pool(eth, usdc, 1000 * ETHER, 2_000_000 * 10**6)
    router = chain.deploy("SwapRouter")
    alice, bob = chain.address("alice"), chain.address("bob")
    chain.mint(eth, alice, ETHER)
    expected = largest_output(1000 * ETHER, 2_000_000 * 10**6, ETHER, 3000)
    arguments = (pool.address, eth.address, ETHER)
    with chain.reverts("SlippageExceeded", expected, expected + 1):
        chain.send(alice, router, "swapExactIn", *arguments, expected + 1, bob)
    with chain.reverts("InsufficientAllowance", alice, router, 0, ETHER):
        chain.send(alice, router, "swapExactIn", *arguments, expected, bob)
    chain.approve(alice, eth, router)
    receipt = chain.send(alice, router, "swapExactIn", *arguments, expected, bob)
    assert router.decode("swapExactIn", receipt.output or b"") == expected
    assert chain.balance(usdc, bob) == expected
    assert chain.balance(eth, router) == chain.balance(usdc, router) == 0


def test_donations_can_be_skimmed_or_synced(chain: Chain, pair: tuple[Contract, Contract]) -> None:
    eth, usdc = pair
    pool = chain.pool(eth, usdc, 10**9, 10**9)
    finder = chain.address("finder")
    chain.mint(eth, pool.address, 5)
    assert chain.reserves(pool) == (10**9, 10**9)
    chain.send(finder, pool, "skim", finder)
    assert (chain.balance(eth, finder), chain.balance(eth, pool)) == (5, 10**9)
    chain.mint(usdc, pool.address, 7)
    chain.send(finder, pool, "sync")
    assert chain.reserves(pool) == (10**9, 10**9 + 7)


def test_refusals(chain: Chain, pair: tuple[Contract, Contract]) -> None:
    eth, usdc = pair
    trader = chain.address("trader")
    with chain.reverts("IdenticalTokens"):
        chain.deploy("ConstantProductPool", eth.address, eth.address, 3000)
    with chain.reverts("InvalidFee", 10**6):
        chain.deploy("ConstantProductPool", eth.address, usdc.address, 10**6)
    pool = chain.pool(eth, usdc, 10**9, 10**9)
    empty = chain.deploy("ConstantProductPool", eth.address, usdc.address, 3000)
    with chain.reverts("InsufficientLiquidity"):
        chain.read(empty, "getAmountOut", eth.address, 1)
    with chain.reverts("InsufficientLiquidityBurned"):
        chain.send(trader, empty, "burn", trader)
    with chain.reverts("NotInPool", trader):
        chain.read(pool, "getAmountOut", trader, 1)
    with chain.reverts("InsufficientOutputAmount"):
        chain.send(trader, pool, "swap", 0, 0, trader, b"")
    with chain.reverts("InsufficientLiquidity"):
        chain.send(trader, pool, "swap", 10**9, 0, trader, b"")
    with chain.reverts("InsufficientInputAmount"):
        chain.send(trader, pool, "swap", 1, 0, trader, b"")
    with chain.reverts("InvalidRecipient", eth):
        chain.send(trader, pool, "swap", 1, 0, eth.address, b"")


def test_flash_swap_needs_the_loan_and_its_fee_back(
    chain: Chain, pair: tuple[Contract, Contract]
) -> None:
    eth, usdc = pair
    pool = chain.pool(eth, usdc, 10**21, 2 * 10**12)
    borrower = chain.deploy("FlashBorrower")
    chain.mint(eth, borrower.address, 10**20)
    caller = chain.address("caller")
    loan = 10**20
    owed = -(-loan * PIPS // (PIPS - 3000))
    before = chain.reserves(pool)

    with chain.reverts("InsufficientInputAmount"):
        chain.send(caller, borrower, "borrow", pool.address, loan, 0, 0, 0)
    with chain.reverts("ProductDecreased"):
        chain.send(caller, borrower, "borrow", pool.address, loan, 0, owed - 1, 0)
    with chain.reverts("Locked"):
        chain.send(caller, borrower, "reenter", pool.address, loan)
    assert chain.reserves(pool) == before

    receipt = chain.send(caller, borrower, "borrow", pool.address, loan, 0, owed, 0)
    assert borrower.events(receipt.logs, "Called") == [
        {
            "sender": borrower.address,
            "amount0Out": loan,
            "amount1Out": 0,
            "balance0": 10**20 + loan,
            "balance1": 0,
        }
    ]
    assert chain.reserves(pool) == (before[0] + owed - loan, before[1])
    assert chain.balance(eth, borrower) == 10**20 - (owed - loan)


def test_flash_swap_may_be_repaid_in_the_other_token(
    chain: Chain, pair: tuple[Contract, Contract]
) -> None:
    eth, usdc = pair
    pool = chain.pool(eth, usdc, 10**21, 2 * 10**12)
    borrower = chain.deploy("FlashBorrower")
    chain.mint(usdc, borrower.address, 10**12)
    caller, loan = chain.address("caller"), 10**19
    low, high = 0, 10**12  # the smallest sum that buys the loan, by bisection on the model
    while high - low > 1:
        needed = (low + high) // 2
        if largest_output(2 * 10**12, 10**21, needed, 3000) >= loan:
            high = needed
        else:
            low = needed
    with chain.reverts("ProductDecreased"):
        chain.send(caller, borrower, "borrow", pool.address, loan, 0, 0, high - 1)
    chain.send(caller, borrower, "borrow", pool.address, loan, 0, 0, high)
    assert chain.balance(eth, borrower) == loan


@pytest.mark.slow
def test_amounts_are_those_of_the_deployed_uniswap_v2_bytecode(
    chain: Chain, npm_package: Callable[[str, str, str], Path], rng: random.Random
) -> None:
    package = npm_package(
        "@uniswap/v2-core",
        "1.0.1",
        "sha512-MtybtkUPSyysqLY2U210NBDeCHX+ltHt3oADGdjqoThZaFRDKwM6k1Nb3F0A3hk5"
        "hwuQvytFWhrWHOEq6nVJ8Q==",
    )
    factory_code, pair_code = (
        _truffle_artifact(package / "build" / f"{name}.json")
        for name in ("UniswapV2Factory", "UniswapV2Pair")
    )
    lp, trader = chain.address("lp"), chain.address("trader")
    factory = chain.deploy("UniswapV2Factory", lp, compiled=factory_code)
    first, second = chain.token("A", 18), chain.token("B", 6)
    tokens = (first, second) if first.address < second.address else (second, first)
    chain.send(lp, factory, "createPair", tokens[0].address, tokens[1].address)
    address = chain.read(factory, "getPair", tokens[0].address, tokens[1].address)
    theirs = Contract("UniswapV2Pair", address, pair_code)
    ours = chain.deploy("ConstantProductPool", tokens[0].address, tokens[1].address, 3000)
    both = (ours, theirs)

    def fund(side: int, amount: int) -> None:
        for pool in both:
            chain.mint(tokens[side], pool.address, amount)

    fund(0, 10**21 + 3)
    fund(1, 2 * 10**12 + 5)
    counts = dict.fromkeys(("mint", "swap", "refused", "burn"), 0)
    chain.send_block([(lp, pool, "mint", lp) for pool in both])
    for step in range(2200):
        action = rng.choice(["swap"] * 18 + ["mint", "burn"])
        after = rng.randint(1, 900)
        reserves = chain.reserves(ours)
        if action == "mint":
            fund(0, rng.randint(1, reserves[0] // 10))
            fund(1, rng.randint(1, reserves[1] // 10))
            call: tuple[Any, ...] = ("mint", lp)
        elif action == "burn":
            share = rng.randint(1, chain.balance(ours, lp) // 10)
            for pool in both:
                chain.send(lp, pool, "transfer", pool.address, share)
            call = ("burn", lp)
        else:
            side = rng.randrange(2)
            amount_in = max(1, int(reserves[side] * 10 ** rng.uniform(-8, -0.5)))
            fund(side, amount_in)
            out: int = chain.read(ours, "getAmountOut", tokens[side].address, amount_in)
            greedy = (0, out + 1) if side == 0 else (out + 1, 0)
            with chain.reverts("ProductDecreased"):
                chain.send(trader, ours, "swap", *greedy, trader, b"")
            with chain.reverts("Error", "UniswapV2: K"):
                chain.send(trader, theirs, "swap", *greedy, trader, b"")
            counts["refused"] += 1
            if out == 0:
                for pool in both:
                    chain.send(trader, pool, "skim", trader)
                continue
            exact = (0, out) if side == 0 else (out, 0)
            call = ("swap", *exact, trader, b"")
        counts[action] += 1
        receipts = chain.send_block([(lp, pool, *call) for pool in both], after)
        assert receipts[0].output == receipts[1].output, step
        for view in ("getReserves", "totalSupply", "price0CumulativeLast", "price1CumulativeLast"):
            assert chain.read(ours, view) == chain.read(theirs, view), (step, view)
    assert counts["swap"] >= 1900
    assert min(counts.values()) >= 50


def _truffle_artifact(path: Path) -> Artifact:
    document = json.loads(path.read_text("utf-8"))
    code = document["evm"]
    return parse_artifact(
        {
            "contractName": path.stem,
            "abi": document["abi"],
            "bytecode": code["bytecode"]["object"],
            "deployedBytecode": code["deployedBytecode"]["object"],
        }
    )
