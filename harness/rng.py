"""Randomness keyed by what it is for, never by the order in which it is drawn.

Two forms. A **stream** is a sequence that belongs to (seed, name, index), such as one asset's
price path. A **draw** is one 64-bit number that belongs to (seed, stream, agent, block, purpose),
so that a decision an agent makes in block 90 does not depend on how many decisions came before.

Both are keyed by BLAKE2b over the parts, each written with its length. Decisions use the integer
helpers (:func:`below`, :func:`chance`). Sequences of real numbers use :func:`uniforms` and
:func:`normals`, which rest on the raw bits of Philox and on arithmetic that every machine does
alike, not on a library version's sampling method.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from harness import portable

__all__ = ["below", "between", "chance", "draw", "normals", "stream", "uniforms"]

_BPS = 10_000


def _digest(size: int, *parts: int | str) -> int:
    message = b""
    for part in parts:
        kind, data = (b"i", str(part)) if isinstance(part, int) else (b"s", part)
        encoded = data.encode()
        message += kind + len(encoded).to_bytes(4, "big") + encoded
    digest = blake2b(message, digest_size=size, person=b"harness-rng-1").digest()
    return int.from_bytes(digest, "big")


def stream(seed: int, name: str, index: int = 0) -> np.random.Generator:
    """The generator of (seed, name, index): Philox with a key of 128 bits from BLAKE2b."""
    return np.random.Generator(np.random.Philox(key=_digest(16, seed, name, index)))


def draw(seed: int, stream: str, agent: str, block: int, purpose: str) -> int:
    """A number from 0 to 2**64 - 1 that belongs to these five and nothing else."""
    return _digest(8, seed, stream, agent, block, purpose)


def below(number: int, limit: int) -> int:
    """A draw mapped onto 0 .. limit - 1; each is met with probability 1/limit within 2**-64.

    Raises:
        ValueError: a limit that is not positive.
    """
    if limit < 1:
        raise ValueError(f"limit {limit}: must be positive")
    return number * limit >> 64


def between(number: int, low: int, high: int) -> int:
    """A draw mapped onto low .. high, both included. Raises ValueError if high < low."""
    return low + below(number, high - low + 1)


def chance(number: int, bps: int) -> bool:
    """Whether a draw falls into a probability of ``bps`` ten-thousandths."""
    return below(number, _BPS) < bps


def uniforms(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Numbers strictly between 0 and 1, each (k + 1/2)/2**52 for an integer k of 52 bits."""
    raw = np.asarray(generator.bit_generator.random_raw(count), dtype=np.uint64)
    return ((raw >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52


def normals(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Standard normal numbers: the inverse distribution function of :func:`uniforms`."""
    return portable.normal_quantile(uniforms(generator, count))
