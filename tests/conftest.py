"""What holds of all tests."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# the same examples everywhere, and none that fails because a machine is slow
settings.register_profile(
    "tests", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")

# they assert for several modules of tests
pytest.register_assert_rewrite(
    "tests.conformance.histories", "tests.contracts.models", "tests.contracts.mutants"
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test comes first: as the last it would run alone beside idle workers."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")
