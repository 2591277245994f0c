"""Engines: local chains behind one block-shaped interface (`Engine`).

    revm         pyrevm, in process; the fastest; where its wheel exists
    py-evm       py-evm driven directly, in process; exact gas; everywhere
    eth-tester   through web3, in process; the slowest
    rpc:URL      a development node (anvil, Hardhat) over HTTP

Each is imported when it is opened, not before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from harness.engine.base import (
    CHAIN_ID,
    Block,
    Engine,
    EngineBase,
    Extendable,
    Inspectable,
    Log,
    Receipt,
    Transaction,
    anchor,
)
from harness.errors import ScenarioError

__all__ = [
    "CHAIN_ID",
    "ENGINES",
    "Block",
    "Engine",
    "EngineBase",
    "Extendable",
    "Inspectable",
    "Log",
    "Receipt",
    "Transaction",
    "anchor",
    "default_engine",
    "default_engine_name",
    "open_engine",
]

_log = logging.getLogger(__name__)

ENGINES = {
    "revm": "pyrevm, in process: the fastest (CPython 3.11 and 3.12; Linux x86-64, macOS, Windows)",
    "py-evm": "py-evm driven directly, in process: exact gas, everywhere",
    "eth-tester": "eth-tester through web3, in process: the slowest",
    "rpc:URL": "a development node (anvil, Hardhat) over HTTP",
}
"""Each engine's spec, as `open_engine` takes it, and a line about it."""

_CLASSES = {
    "revm": "harness.engine.revm:RevmEngine",
    "py-evm": "harness.engine.pyevm:PyEvmEngine",
    "eth-tester": "harness.engine.ethtester:EthTesterEngine",
}


def open_engine(spec: str) -> Engine:
    """A fresh engine.

    Args:
        spec: ``revm``, ``py-evm``, ``eth-tester``, ``rpc:URL``, or ``module:Class`` for one from
            outside, whose class takes no arguments.

    Raises:
        ScenarioError: no such engine, or its package is not installed.
        EngineError: the node behind ``rpc:URL`` does not answer or is refused.

    """
    if spec.startswith("rpc:"):
        from harness.engine.rpc import RpcEngine

        return RpcEngine(spec.removeprefix("rpc:"))
    target = _CLASSES.get(spec, spec)
    module, _, name = target.partition(":")
    allowed = ", ".join(ENGINES) + " or module:Class"
    if not name:
        raise ScenarioError("engine", spec, f"must be one of {allowed}")
    try:
        make: Callable[[], Engine] = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ScenarioError("engine", spec, f"cannot be used here ({error}); {allowed}") from error
    return make()


def default_engine_name() -> str:
    """``revm`` where pyrevm is installed, else ``py-evm``."""
    return "revm" if find_spec("pyrevm") else "py-evm"


def default_engine() -> Engine:
    """A fresh engine of the default kind; logs one line when that is not revm."""
    name = default_engine_name()
    if name != "revm":
        _log.warning("pyrevm has no wheel for this Python or platform: using py-evm, far slower")
    return open_engine(name)
