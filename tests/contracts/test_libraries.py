"""Math, SafeTransfer: against Python's integers, and against tokens that misbehave."""

from __future__ import annotations

import random
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.contracts import Contract
    from tests.contracts.conftest import Chain

WORD = 1 << 256
RAY = 10**27


def _spread(rng: random.Random) -> int:
    """An integer whose length is uniform from 0 to 256 bits; often at an edge."""
    value = rng.getrandbits(rng.randint(0, 256))
    edge = rng.choice([0, 0, 0, 1, WORD - 1, 1 << rng.randint(0, 255)])
    return edge or value


@pytest.fixture
def probe(chain: Chain) -> Contract:
    return chain.deploy("LibraryProbe")


def test_mul_div_is_exact_over_512_bits(chain: Chain, probe: Contract, rng: random.Random) -> None:
    kept = overflowed = 0
    for _ in range(4000):
        a, b, d = _spread(rng), _spread(rng), _spread(rng)
        down = a * b // d if d else WORD
        up = -(-a * b // d) if d else WORD
        for function, expected in (("mulDivDown", down), ("mulDivUp", up)):
            if expected < WORD:
                assert chain.read(probe, function, a, b, d) == expected, (a, b, d)
                kept += 1
            else:
                with chain.reverts("MathOverflow"):
                    chain.read(probe, function, a, b, d)
                overflowed += 1
    assert min(kept, overflowed) > 1000


def test_mul_div_up_refuses_what_only_rounding_pushes_over(chain: Chain, probe: Contract) -> None:
    # a b / 2 is 2^256 - 1/2 (the example is OpenZeppelin's)
    a = 535006138814359
    b = 432862656469423142931042426214547535783388063929571229938474969
    assert chain.read(probe, "mulDivDown", a, b, 2) == WORD - 1
    with chain.reverts("MathOverflow"):
        chain.read(probe, "mulDivUp", a, b, 2)


def test_full_product_and_square_root(chain: Chain, probe: Contract, rng: random.Random) -> None:
    for _ in range(1000):
        a, b = _spread(rng), _spread(rng)
        assert chain.read(probe, "mulFull", a, b) == divmod(a * b, WORD)
        assert chain.read(probe, "sqrtDown", a) == isqrt(a)
        square = isqrt(a) ** 2
        assert chain.read(probe, "sqrtDown", square) == isqrt(a)
        assert chain.read(probe, "sqrtDown", max(square - 1, 0)) == isqrt(max(square - 1, 0))


def test_rpow_stays_within_its_rounding(chain: Chain, probe: Contract, rng: random.Random) -> None:
    for _ in range(300):
        x = rng.randint(0, RAY)
        n = rng.choice([0, 1, 2, 3, rng.randint(0, 100), rng.randint(0, 1000)])
        got = chain.read(probe, "rpowNearest", x, n)
        exact = Fraction(x, RAY) ** n * RAY
        # each of the at most 2 log2(n) products is off by half a unit, and an error made in
        # squaring grows by the exponent that is left: n units in all
        assert abs(got - exact) <= max(n, 1)
    assert chain.read(probe, "rpowNearest", 0, 0) == RAY
    assert chain.read(probe, "rpowNearest", RAY, WORD - 1) == RAY


@pytest.mark.parametrize("call", ["safeTransfer", "safeTransferFrom", "safeApprove"])
@pytest.mark.parametrize(("mode", "passes"), [(0, True), (1, False), (2, False), (3, True)])
def test_odd_tokens_pass_or_fail_loudly(
    chain: Chain, probe: Contract, call: str, mode: int, passes: bool
) -> None:
    token = chain.deploy("OddToken", mode)
    someone = chain.address("someone")
    args = (
        (token.address, someone, someone, 1)
        if call.endswith("From")
        else (
            token.address,
            someone,
            1,
        )
    )
    if passes:
        chain.send(someone, probe, call, *args)
    else:
        with chain.reverts("TokenCallFailed", token):
            chain.send(someone, probe, call, *args)


def test_a_token_without_code_fails(chain: Chain, probe: Contract) -> None:
    nobody = chain.address("nobody")
    with chain.reverts("TokenCallFailed", nobody):
        chain.send(nobody, probe, "safeTransfer", nobody, nobody, 1)


def test_a_tokens_own_error_passes_through(chain: Chain, probe: Contract) -> None:
    token = chain.token("USDC", 6)
    someone = chain.address("someone")
    with chain.reverts("InsufficientBalance", probe, 0, 7):
        chain.send(someone, probe, "safeTransfer", token.address, someone, 7)
