"""What pages call actions, reasons and steps: nothing is left in the words of the code."""

from __future__ import annotations

from harness.orders import DECLARED_GAS
from harness.report.background import STEP_NAMES
from harness.report.participants import ACTIONS
from harness.testing.clearing_invariants import STEPS


def test_every_action_has_words() -> None:
    assert set(DECLARED_GAS) <= set(ACTIONS)


def test_every_step_of_the_waterfall_has_a_name() -> None:
    assert set(STEP_NAMES) == {*STEPS, "unpaid"}
