"""Every exception this package raises on purpose.

    HarnessError
    ├── ScenarioError        bad input: names the field, its value and what is allowed
    ├── EngineError          an engine was misused or failed in mid-run
    ├── PluginError          an agent, ordering or price process from outside raised
    ├── Reverted             a call failed on chain; carries the revert data
    ├── InvariantViolation   a check on the books or on the risk engine did not hold
    └── VacuousRun           a run proved nothing: nothing moved, was called or was liquidated

All of them survive pickling, so that a worker process can hand them to its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

__all__ = [
    "EngineError",
    "HarnessError",
    "InvariantViolation",
    "PluginError",
    "Reverted",
    "ScenarioError",
    "VacuousRun",
    "importable",
    "nearest",
    "plugin",
]


_LONGEST_SHOWN = 200


class HarnessError(Exception):
    """Base of every exception this package raises on purpose."""


class ScenarioError(HarnessError):
    """Bad input: a scenario, a parameter or a file that cannot be used.

    Attributes:
        field: dotted path of the offending field, such as ``market.asset[0].ltv_bps``.
        value: what was given.
        allowed: what would have been accepted, as a phrase for people.

    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(field, value, allowed)
        self.field = field
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > _LONGEST_SHOWN:
            shown = shown[: _LONGEST_SHOWN - 3] + "..."  # a table of prices is no line
        return f"{self.field} = {shown}: {self.allowed}"


def nearest(given: object, names: Iterable[str]) -> str:
    """What to put behind a list of names, none of which was given: the one that was probably
    meant; empty if none is like it."""
    found = get_close_matches(str(given), list(names), 1)
    return f"; did you mean {found[0]}?" if found else ""


def importable(error: Exception) -> str:
    """What is allowed where ``module:Class`` was given and could not be imported for a reason."""
    absent = isinstance(error, ModuleNotFoundError)
    where = ": the folder it is in has to be on PYTHONPATH" if absent else ""
    return f"a class that can be imported ({error}{where})"


class EngineError(HarnessError):
    """An engine was misused (block numbers, timestamps, snapshots) or failed in mid-run."""


class PluginError(HarnessError):
    """Code that a scenario plugs in raised something of its own in mid-run."""


@contextmanager
def plugin(what: str) -> Iterator[None]:
    """Runs code from outside: whatever it raises beside a HarnessError becomes a PluginError that
    says what failed, in one line."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        raise PluginError(f"{what} failed: {type(error).__name__}: {error}") from error


class Reverted(HarnessError):  # noqa: N818 - says what happened on chain or in a run
    """A call failed on chain. Its text is the decoded Solidity error with its arguments.

    Attributes:
        data: the revert data; empty for a halt (invalid opcode, out of gas) or a bare ``revert()``.

    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data

    def __str__(self) -> str:
        from harness.contracts import decode_error  # it reads artifacts, and imports this module

        return decode_error(self.data)


class InvariantViolation(HarnessError):  # noqa: N818 - says what happened on chain or in a run
    """A check did not hold.

    Attributes:
        identifier: the invariant's ID, such as ``LEND-01``.
        detail: what was found, with the numbers that differ.
        block: number of the block after which it was found, None outside a run.

    """

    def __init__(self, identifier: str, detail: str, block: int | None = None) -> None:
        super().__init__(identifier, detail, block)
        self.identifier = identifier
        self.detail = detail
        self.block = block

    def __str__(self) -> str:
        place = "" if self.block is None else f" at block {self.block}"
        return f"{self.identifier} does not hold{place}: {self.detail}"


class VacuousRun(HarnessError):  # noqa: N818 - says what happened on chain or in a run
    """A run that proved nothing, in a scenario that does not expect quiet.

    Attributes:
        reason: what never happened.

    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
