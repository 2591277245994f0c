"""What is particular to nodes: whom the rpc engine refuses, and how it leaves them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.request import Request, urlopen

import pytest

from harness.accounts import account
from harness.engine import Block, Transaction, open_engine
from harness.errors import EngineError, ScenarioError
from harness.testing.engine_conformance import (
    GOLDEN_DIGEST,
    PROBE,
    START,
    ProbeChain,
    golden_history,
    probe,
)

Start = Callable[..., Any]


def test_fresh_anvil_without_any_flag_conforms(start_anvil: Start) -> None:
    engine = open_engine(f"rpc:{start_anvil('--hardfork=cancun').url}")
    assert golden_history(engine) == GOLDEN_DIGEST
    engine.close()


def test_node_is_back_at_block_zero_after_closing(anvil: Any) -> None:
    for _ in range(2):
        engine = open_engine(f"rpc:{anvil.url}")
        assert golden_history(engine) == GOLDEN_DIGEST
        engine.close()


def test_node_is_usable_after_a_block_that_failed(anvil: Any) -> None:
    engine = open_engine(f"rpc:{anvil.url}")
    chain = ProbeChain(engine)
    with pytest.raises(EngineError):
        chain.execute(probe("bump", 1), probe("bump", 1, sender=PROBE.address))
    with pytest.raises(EngineError, match="failed earlier"):
        chain.read("counter")
    engine.close()
    engine = open_engine(f"rpc:{anvil.url}")
    assert golden_history(engine) == GOLDEN_DIGEST
    engine.close()


def test_node_with_a_history_is_refused_unless_reset(start_anvil: Start) -> None:
    node = start_anvil("--hardfork=cancun")
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "evm_mine", "params": []}'
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(node.url, body, headers)) as answer:  # noqa: S310 - a local node
        assert answer.status == 200
    with pytest.raises(EngineError, match="at block 1"):
        open_engine(f"rpc:{node.url}")
    engine = open_engine(f"rpc:{node.url}#reset")
    assert golden_history(engine) == GOLDEN_DIGEST
    engine.close()


def test_other_chain_ids_are_refused_unless_flagged(start_anvil: Start) -> None:
    node = start_anvil("--hardfork=cancun", "--chain-id=1")
    with pytest.raises(EngineError, match="chain id 1,"):
        open_engine(f"rpc:{node.url}")
    engine = open_engine(f"rpc:{node.url}#any-chain")
    assert ProbeChain(engine).read("context")[1] == 1
    engine.close()


def test_senders_without_a_key_are_impersonated(anvil: Any) -> None:
    stranger = b"\x99" * 20
    engine = open_engine(f"rpc:{anvil.url}")
    receipts = ProbeChain(engine).execute(
        probe("markBlock", sender=stranger),
        probe("bump", 1),
        probe("markBlock", sender=stranger),
    )
    assert [receipt.status for receipt in receipts] == [True] * 3
    assert PROBE.events(receipts[2].logs, "Deposited")[0]["account"] == stranger
    engine.close()


def test_vanished_node_is_an_engine_error(start_anvil: Start) -> None:
    node = start_anvil("--hardfork=cancun")
    chain = ProbeChain(open_engine(f"rpc:{node.url}"))
    node.stop()
    with pytest.raises(EngineError, match="no answer"):
        chain.read("counter")
    with pytest.raises(EngineError, match="no answer"):
        chain.send("bump", 1)
    chain.engine.close()


def test_nobody_at_the_url_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="no answer"):
        open_engine("rpc:http://127.0.0.1:9")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8545", "ws://127.0.0.1:1", "http://h#wipe"])
def test_bad_url_is_bad_input(url: str) -> None:
    with pytest.raises(ScenarioError, match="rpc:http"):
        open_engine(f"rpc:{url}")


class _Node(BaseHTTPRequestHandler):
    """A node that answers from a table."""

    answers: dict[str, Any]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.answers.get(request["method"])
        key = "result" if answer is not None else "error"
        body = json.dumps({"jsonrpc": "2.0", "id": 1, key: answer or {"code": -32601}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def fake_node() -> Iterator[Callable[[dict[str, Any]], str]]:
    server = HTTPServer(("127.0.0.1", 0), _Node)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def start(answers: dict[str, Any]) -> str:
        _Node.answers = answers
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    server.shutdown()
    thread.join()
    server.server_close()


MAINNET_CLIENT = {"web3_clientVersion": "Geth/v1.16", "eth_chainId": "0x7a69"}


def test_other_clients_are_refused_unless_flagged(
    fake_node: Callable[[dict[str, Any]], str],
) -> None:
    url = fake_node(MAINNET_CLIENT)
    with pytest.raises(EngineError, match="Geth"):
        open_engine(f"rpc:{url}")
    with pytest.raises(EngineError, match="eth_blockNumber"):
        open_engine(f"rpc:{url}#any-client")


def test_reordered_block_is_noticed(fake_node: Callable[[dict[str, Any]], str]) -> None:
    answers = {
        "web3_clientVersion": "anvil/v1",
        "eth_chainId": "0x7a69",
        "eth_blockNumber": "0x0",
        "evm_snapshot": "0x0",
        "hardhat_getAutomine": True,
        "evm_setAutomine": True,
        "evm_setIntervalMining": True,
        "evm_setBlockGasLimit": True,
        "hardhat_setNextBlockBaseFeePerGas": True,
        "evm_setNextBlockTimestamp": True,
        "eth_getTransactionCount": "0x0",
        "eth_sendRawTransaction": "0x01",
        "evm_mine": "0x0",
        "eth_getBlockByNumber": {
            "number": "0x1",
            "timestamp": hex(START),
            "transactions": ["0x02"],
        },
        "hardhat_dropTransaction": True,
        "evm_revert": True,
    }
    engine = open_engine(f"rpc:{fake_node(answers)}")
    with pytest.raises(EngineError, match="another order"):
        engine.execute(Block(1, START, (Transaction(account("a").address, b"\1" * 20, b""),)))
    engine.close()
