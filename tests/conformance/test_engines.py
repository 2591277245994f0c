"""The conformance kit on every engine this package brings."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engine import open_engine
from harness.testing.engine_conformance import EngineConformance, MakeEngine


class TestRevm(EngineConformance):
    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform")
        return lambda: open_engine("revm")


class TestPyEvm(EngineConformance):
    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        return lambda: open_engine("py-evm")


class TestEthTester(EngineConformance):
    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        return lambda: open_engine("eth-tester")


class TestRpc(EngineConformance):
    @pytest.fixture
    def make_engine(self, anvil: Any) -> MakeEngine:
        return lambda: open_engine(f"rpc:{anvil.url}")
