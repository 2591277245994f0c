"""Randomness depends on its key alone, and is the same on every machine."""

import subprocess
import sys
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import portable, rng

U64 = st.integers(0, 2**64 - 1)


def test_known_values_never_change():
    # Written down once: a change breaks the reproducibility of every recorded run.
    assert rng.draw(7, "liquidator", "fast-0", 12, "latency") == 1850559986603013727
    raw = rng.stream(7, "diffusion/ETH").bit_generator.random_raw(2)
    assert [int(word) for word in raw] == [7216272812707684878, 10228148183331490815]


def test_a_draw_belongs_to_all_five_parts_of_its_key():
    base = (7, "s", "a", 3, "p")
    changed = [(8, "s", "a", 3, "p"), (7, "t", "a", 3, "p"), (7, "s", "b", 3, "p")]
    changed += [(7, "s", "a", 4, "p"), (7, "s", "a", 3, "q"), (7, "sa", "", 3, "p")]
    assert len({rng.draw(*key) for key in [base, *changed]}) == len(changed) + 1
    assert rng.draw(*base) == rng.draw(*base)


def test_parts_cannot_run_together():
    assert rng.draw(1, "1", "1", 1, "1") != rng.draw(11, "", "1", 1, "1")
    assert rng.draw(1, "ab", "c", 1, "") != rng.draw(1, "a", "bc", 1, "")


def test_streams_of_different_keys_differ_and_equal_keys_agree():
    keys = [(7, "x", 0), (7, "x", 1), (7, "y", 0), (8, "x", 0), (-7, "x", 0)]
    first = {key: rng.uniforms(rng.stream(*key), 4).tolist() for key in keys}
    assert len({tuple(values) for values in first.values()}) == len(keys)
    assert first == {key: rng.uniforms(rng.stream(*key), 4).tolist() for key in keys}


def test_a_prefix_of_a_stream_does_not_depend_on_its_length():
    long = rng.normals(rng.stream(7, "x"), 100)
    assert np.array_equal(long[:10], rng.normals(rng.stream(7, "x"), 10))


def test_another_process_with_another_hash_seed_draws_the_same():
    code = (
        "from harness import rng;"
        "print(rng.draw(7,'s','a',3,'p'), rng.normals(rng.stream(7,'x'),3).tobytes().hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = rng.normals(rng.stream(7, "x"), 3).tobytes().hex()
    assert outputs == {f"{rng.draw(7, 's', 'a', 3, 'p')} {here}\n"}


@given(U64, st.integers(1, 2**70))
def test_below_stays_below_its_limit(number, limit):
    assert 0 <= rng.below(number, limit) < limit


def test_below_and_between_reach_both_ends():
    assert rng.below(0, 6) == 0
    assert rng.below(2**64 - 1, 6) == 5
    assert rng.between(0, -2, 2) == -2
    assert rng.between(2**64 - 1, -2, 2) == 2
    with pytest.raises(ValueError, match="limit 0"):
        rng.below(5, 0)
    with pytest.raises(ValueError, match="limit 0"):
        rng.between(5, 3, 2)


def test_chance_is_never_at_0_always_at_10000_and_close_between():
    draws = [rng.draw(7, "s", "a", block, "p") for block in range(20_000)]
    assert not any(rng.chance(number, 0) for number in draws)
    assert all(rng.chance(number, 10_000) for number in draws)
    share = sum(rng.chance(number, 2_500) for number in draws) / len(draws)
    assert share == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / len(draws)) ** 0.5)


def test_normals_have_the_moments_of_the_normal_distribution():
    seed = 7
    print(f"seed {seed}")
    z = rng.normals(rng.stream(seed, "moments"), 400_000)
    assert abs(z.mean()) < 4 / 400_000**0.5
    assert z.var() == pytest.approx(1, abs=4 * (2 / 400_000) ** 0.5)
    assert (z**3).mean() == pytest.approx(0, abs=4 * (15 / 400_000) ** 0.5)
    assert (z**4).mean() == pytest.approx(3, abs=4 * (96 / 400_000) ** 0.5)


def test_uniforms_are_strictly_between_0_and_1_and_so_are_their_extremes():
    u = rng.uniforms(rng.stream(7, "u"), 100_000)
    assert u.min() > 0
    assert u.max() < 1
    largest = np.array([(2**52 - 1 + 0.5) / 2**52])
    assert largest[0] < 1
    assert np.isfinite(portable.normal_quantile(largest)).all()


class TestPortableFunctions:
    """Against arithmetic of 40 digits, which shares no code with them."""

    x = np.linspace(-40, 40, 401)

    def setup_method(self):
        getcontext().prec = 40

    def test_exp(self):
        ours = portable.exp(self.x)
        for x, value in zip(self.x, ours, strict=True):
            exact = Decimal(float(x)).exp()
            assert abs(Decimal(float(value)) / exact - 1) < Decimal("4e-16")

    def test_log(self):
        arguments = np.concatenate([np.exp(self.x), np.linspace(0.5, 2.0, 301)])
        for x, value in zip(arguments, portable.log(arguments), strict=True):
            exact = Decimal(float(x)).ln()
            assert abs(Decimal(float(value)) - exact) <= abs(exact) * Decimal("8e-16")

    def test_quantile_inverts_the_distribution_function(self):
        p = np.concatenate([10.0 ** -np.arange(1, 16), np.linspace(0.001, 0.999, 999)])
        back = portable.normal_cdf(portable.normal_quantile(p))
        assert np.max(np.abs(back / p - 1)) < 1e-12

    def test_known_points_of_the_normal_distribution(self):
        # Abramowitz & Stegun, table 26.1 and 26.5
        points = np.array([0.0, 1.0, 2.0, 3.0, 5.0, -1.0])
        known = [0.5, 0.841344746068543, 0.977249868051821, 0.998650101968370]
        known += [0.999999713348428, 0.158655253931457]
        assert portable.normal_cdf(points) == pytest.approx(known, abs=1e-14)
        quantiles = portable.normal_quantile(np.array([0.975, 0.995, 0.5]))
        assert quantiles == pytest.approx([1.959963984540054, 2.575829303548901, 0.0], abs=1e-14)
