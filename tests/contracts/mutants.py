"""Random actions on a contract with a planted bug: its invariant, and no other, must find it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import InvariantViolation
from harness.testing.invariants import enforce


def check_caught(identifier: str, step: Callable[[], dict[str, str]], most: int) -> None:
    """At most so many steps, each returning what is wrong after it by invariant."""
    problems: dict[str, str] = {}
    for _ in range(most):
        problems = step()
        if problems:
            break
    print(identifier, problems)
    assert list(problems) == [identifier]
    with pytest.raises(InvariantViolation, match=identifier):
        enforce(identifier, problems[identifier])


def planted(test: Any) -> list[str]:
    """The identifiers for which a test parametrised by them plants a bug, sorted."""
    (mark,) = test.pytestmark
    return sorted(row[0] for row in mark.args[1])
