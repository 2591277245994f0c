"""A local anvil for the tests of the rpc engine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engine.rpc import ANVIL_FLAGS

NODE_MODULES = Path(__file__).resolve().parents[2] / "contracts" / "node_modules" / "@foundry-rs"
HOW_TO_GET_IT = (
    "anvil not found: run `npm ci` in contracts/, put anvil on PATH, "
    "or set HARNESS_ANVIL to its binary"
)


def find_anvil() -> str | None:
    """Path of the anvil binary: HARNESS_ANVIL, contracts/node_modules, then PATH."""
    named = os.environ.get("HARNESS_ANVIL")
    if named:
        return named
    packaged = sorted(NODE_MODULES.glob("anvil-*/bin/anvil*"))
    return str(packaged[0]) if packaged else shutil.which("anvil")


class Anvil:
    """A running anvil. ``url`` is what `rpc:` takes."""

    def __init__(self, binary: str, *flags: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [binary, "--quiet", f"--port={port}", *flags], stdout=subprocess.DEVNULL
        )
        self._wait(port)

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as attempt:
                attempt.settimeout(1)
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"anvil did not start: exit code {self._process.returncode}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)


@pytest.fixture(scope="session")
def anvil_binary() -> str:
    binary = find_anvil()
    if binary is None:
        pytest.skip(HOW_TO_GET_IT)
    return binary


@pytest.fixture(scope="session")
def anvil(anvil_binary: str) -> Iterator[Anvil]:
    """One anvil for all tests: the engine puts it back to block 0 on closing."""
    node = Anvil(anvil_binary, *ANVIL_FLAGS)
    yield node
    node.stop()


@pytest.fixture(scope="session")
def start_anvil(anvil_binary: str) -> Iterator[object]:
    """Starts anvils with flags of one's own."""
    nodes: list[Anvil] = []

    def start(*flags: str) -> Anvil:
        nodes.append(Anvil(anvil_binary, *flags))
        return nodes[-1]

    yield start
    for node in nodes:
        node.stop()
