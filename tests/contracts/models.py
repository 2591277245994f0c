"""A contract and a second implementation of it side by side: both do a thing, or neither does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.errors import Reverted

T = TypeVar("T")


class Refused(Exception):  # noqa: N818 - named as the contract's errors are
    """The model refuses an action; the text is the Solidity error's name."""


def same_refusal(
    action: str, model: Callable[[], object], contract: Callable[[], T]
) -> tuple[str, T | None]:
    """The name of the error with which both refuse an action, empty if both carry it out, and what
    the contract's call gave."""
    refused = found = ""
    given = None
    try:
        model()
    except Refused as reason:
        refused = str(reason)
    try:
        given = contract()
    except Reverted as error:
        found = str(error)
    assert found.partition("(")[0] == refused, (action, found, refused)
    return refused, given
