"""A development node (anvil, Hardhat) over JSON-RPC and HTTP.

    rpc:http://127.0.0.1:8545

The node must be at block 0, and is put back there on closing, so that runs can follow one another
on one node. A plain ``anvil --hardfork cancun`` works; long runs are faster and smaller with
`ANVIL_FLAGS`. Hardhat needs ``networks.hardhat`` to hold ``hardfork: "cancun"`` and
``initialDate: "1970-01-01T00:00:01Z"``, because its clock cannot be turned back. Mining, block gas
limit and base fee are set by the engine.

Other clients and chain ids than 31337 and 1337 are refused, because a mistyped URL must not reach
a chain where anything has value. Flags behind a ``#``, separated by commas, lift that:

    #any-client   take a node that does not call itself anvil or Hardhat
    #any-chain    take any chain id
    #reset        wipe the node if it is not at block 0

Transactions are sent one by one, since nodes reorder batches, and the mined order is compared with
the submitted one. Senders that `harness.accounts` knows sign; others are impersonated.
"""

from __future__ import annotations

import json
import logging
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from harness.accounts import find_key
from harness.engine._signing import sign
from harness.engine.base import (
    CALL_GAS,
    CHAIN_ID,
    TRANSACTION_GAS,
    ZERO_ADDRESS,
    Block,
    EngineBase,
    Log,
    Receipt,
    Transaction,
)
from harness.errors import EngineError, Reverted, ScenarioError

__all__ = ["ANVIL_FLAGS", "RpcEngine"]

ANVIL_FLAGS = (
    "--hardfork=cancun",
    "--prune-history",
    "--disable-block-gas-limit",
    "--no-request-size-limit",
    "--order=fifo",
    "--timestamp=0",
    "--gas-price=0",
    "--base-fee=0",
)
"""What to start anvil with for long runs: no history, no limits, submission order, free gas."""

_CLIENTS = ("anvil", "hardhat")
_CHAIN_IDS = (CHAIN_ID, 1337)
_FLAGS = ("any-client", "any-chain", "reset")
_BLOCK_GAS = 1 << 50
_TIMEOUT_SECONDS = 300
_METHOD_NOT_FOUND = (-32601, -32004)  # by JSON-RPC; by Hardhat

# How a node says that the EVM stopped without revert data, apart from any other error of its own.
_HALTS = ("revert", "evm error", "vm exception", "halt", "invalid opcode", "out of gas", "outofgas")

_log = logging.getLogger(__name__)


class _NodeError(EngineError):
    """The node answered with a JSON-RPC error."""

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        self.code = error.get("code")
        self.message = str(error.get("message", ""))
        self.data = error.get("data")
        super().__init__(f"{method}: {self.message or error} (code {self.code})")


class _Mark(NamedTuple):
    """A snapshot: the node's own id, and the nonces of then."""

    token: str
    nonces: dict[bytes, int]


class RpcEngine(EngineBase[_Mark]):
    """An engine behind a URL.

    Attributes:
        client: what the node calls itself.

    """

    name = "rpc"

    def __init__(self, url: str) -> None:
        super().__init__()
        address, _, fragment = url.partition("#")
        flags = set(fragment.split(",")) if fragment else set()
        allowed = f"rpc:http://HOST:PORT, optionally with # and any of {', '.join(_FLAGS)}"
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError as error:
            raise ScenarioError("engine", f"rpc:{url}", f"{allowed} ({error})") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or flags - set(_FLAGS):
            raise ScenarioError("engine", f"rpc:{url}", allowed)
        connect = HTTPConnection if parts.scheme == "http" else HTTPSConnection
        self._url = address
        self._path = parts.path or "/"
        self._connection = connect(parts.hostname, port, timeout=_TIMEOUT_SECONDS)
        self._nonces: dict[bytes, int] = {}
        self._impersonated: set[bytes] = set()
        self._stranded: list[str] = []
        try:
            self.client = str(self._request("web3_clientVersion"))
            self._chain_id = int(self._request("eth_chainId"), 16)
            self._refuse_strangers(flags)
            self._find_genesis(reset="reset" in flags)
            self._genesis = self._request("evm_snapshot")
            self._automine = self._request("hardhat_getAutomine")
            self._request("evm_setAutomine", False)
            self._request("evm_setIntervalMining", 0)
            self._prepare()
        except EngineError:
            self._connection.close()
            raise

    def execute(self, block: Block) -> list[Receipt]:
        """See `Engine.execute`. Receipts carry the exact gas, never the output."""
        self._admit(block)
        number, timestamp, transactions = block
        hashes: list[str] = []
        try:
            self._set_time(timestamp)
            hashes.extend(map(self._send, transactions))
            self._request("evm_mine")
            self._check_mined(block, hashes)
            receipts = [_receipt(item) for item in self._receipts(hashes)]
        except (EngineError, KeyError, TypeError, ValueError) as error:
            self._stranded = hashes
            raise self._fail(number, len(hashes), str(error)) from error
        self._number, self._timestamp = number, timestamp
        return receipts

    def call(self, to: bytes, data: bytes) -> bytes:
        """See `Engine.call`."""
        self._check_open()
        message = {
            "from": _hex(ZERO_ADDRESS),
            "to": _hex(to),
            "data": _hex(data),
            "gas": hex(CALL_GAS),
        }
        try:
            return _bytes(self._request("eth_call", message, "latest"))
        except _NodeError as error:
            reason = _revert_data(error)
            if reason is None:
                raise
            raise Reverted(reason) from None

    def storage(self, address: bytes, slot: int) -> int:
        """See `Inspectable.storage`."""
        self._check_open()
        return int(self._request("eth_getStorageAt", _hex(address), hex(slot), "latest"), 16)

    def balance(self, address: bytes) -> int:
        """See `Inspectable.balance`."""
        self._check_open()
        return int(self._request("eth_getBalance", _hex(address), "latest"), 16)

    def _refuse_strangers(self, flags: set[str]) -> None:
        if "any-client" not in flags and not self.client.lower().startswith(_CLIENTS):
            raise EngineError(
                f"{self._url} is {self.client}, not anvil or Hardhat; "
                "if it really is a development node, append #any-client"
            )
        if "any-chain" not in flags and self._chain_id not in _CHAIN_IDS:
            raise EngineError(
                f"{self._url} has chain id {self._chain_id}, not 31337 or 1337; "
                "if it really is a development chain, append #any-chain"
            )

    def _find_genesis(self, *, reset: bool) -> None:
        height = int(self._request("eth_blockNumber"), 16)
        if height and reset:
            self._request("hardhat_reset")
            height = int(self._request("eth_blockNumber"), 16)
        if height:
            raise EngineError(
                f"{self._url} is at block {height}: start a fresh node, or append #reset to wipe it"
            )

    def _prepare(self) -> None:
        """Settings that a node drops when it goes back to a snapshot."""
        self._request("evm_setBlockGasLimit", hex(_BLOCK_GAS))
        self._request("hardhat_setNextBlockBaseFeePerGas", "0x0")

    def _set_time(self, timestamp: int) -> None:
        try:
            self._request("evm_setNextBlockTimestamp", timestamp)
        except _NodeError:
            # The node's genesis is later than the run's first block: turn its clock back.
            try:
                self._request("evm_setTime", timestamp - 1)
                self._request("evm_setNextBlockTimestamp", timestamp)
            except _NodeError as error:
                hint = "the node's genesis must come before the run (Hardhat: initialDate)"
                raise EngineError(f"{error}; {hint}") from error

    def _send(self, transaction: Transaction) -> str:
        sender, to, data = transaction
        nonce = self._nonces.get(sender)
        if nonce is None:
            nonce = int(self._request("eth_getTransactionCount", _hex(sender), "latest"), 16)
        self._nonces[sender] = nonce + 1
        key = find_key(sender)
        if key is not None:
            raw = sign(key, nonce, to, data, self._chain_id)
            return str(self._request("eth_sendRawTransaction", _hex(raw)))
        if sender not in self._impersonated:
            if self._request("eth_getCode", _hex(sender), "latest") != "0x":
                raise EngineError(f"sender {_hex(sender)} is a contract")
            self._request("hardhat_impersonateAccount", _hex(sender))
            self._impersonated.add(sender)
        message = {
            "from": _hex(sender),
            "data": _hex(data),
            "gas": hex(TRANSACTION_GAS),
            "gasPrice": "0x0",
            "nonce": hex(nonce),
        }
        if to:
            message["to"] = _hex(to)
        return str(self._request("eth_sendTransaction", message))

    def _check_mined(self, block: Block, hashes: list[str]) -> None:
        mined = self._request("eth_getBlockByNumber", "latest", False)
        found = (int(mined["number"], 16), int(mined["timestamp"], 16))
        if found != (block.number, block.timestamp):
            raise EngineError(f"mined (number, timestamp) {found}")
        if mined["transactions"] != hashes:
            kept = len(mined["transactions"])
            raise EngineError(f"mined {kept} of {len(hashes)} transactions, or in another order")

    def _receipts(self, hashes: list[str]) -> list[dict[str, Any]]:
        if not hashes:
            return []
        try:
            receipts: list[dict[str, Any]] = self._request("eth_getBlockReceipts", "latest")
        except _NodeError as error:
            if error.code not in _METHOD_NOT_FOUND:
                raise
            receipts = [self._request("eth_getTransactionReceipt", item) for item in hashes]
        if [receipt["transactionHash"] for receipt in receipts] != hashes:
            raise EngineError("receipts do not match the transactions")
        return receipts

    def _mark(self) -> _Mark:
        return _Mark(self._request("evm_snapshot"), dict(self._nonces))

    def _restore(self, mark: _Mark) -> None:
        if self._request("evm_revert", mark.token) is not True:
            self._broken = "the node lost a snapshot"
            raise EngineError(self._broken)
        self._nonces = mark.nonces
        self._prepare()

    def _release(self) -> None:
        try:
            for item in self._stranded:
                self._request("hardhat_dropTransaction", item)
            self._request("evm_revert", self._genesis)
            self._request("evm_setAutomine", self._automine)
        except EngineError as error:
            _log.warning("%s could not be put back to block 0: %s", self._url, error)
        self._connection.close()

    def _request(self, method: str, *parameters: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        try:
            self._connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            answer = json.loads(self._connection.getresponse().read())
        except (OSError, HTTPException, ValueError) as error:
            self._connection.close()
            raise EngineError(f"{method}: no answer from {self._url} ({error!r})") from error
        if "error" in answer:
            raise _NodeError(method, answer["error"])
        return answer["result"]


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _receipt(receipt: dict[str, Any]) -> Receipt:
    logs = tuple(
        Log(
            _bytes(entry["address"]),
            tuple(_bytes(topic) for topic in entry["topics"]),
            _bytes(entry["data"]),
        )
        for entry in receipt["logs"]
    )
    return Receipt(receipt["status"] == "0x1", logs, None, int(receipt["gasUsed"], 16))


def _revert_data(error: _NodeError) -> bytes | None:
    """Revert data of a failed call, empty for a halt; None if something else went wrong."""
    data = error.data.get("data") if isinstance(error.data, dict) else error.data
    if isinstance(data, str) and data.startswith("0x"):
        return _bytes(data)
    if any(word in error.message.lower() for word in _HALTS):
        return b""
    return None
