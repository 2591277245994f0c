"""Compiled contracts and their ABI codecs, each codec built once.

The artifacts are committed (``harness/artifacts``), written by ``scripts/compile_contracts.py``.
Hot paths go through :meth:`Contract.encode` and :meth:`Contract.decode`, which cost about a
microsecond a word; ``eth_abi`` costs ten times that and web3 three hundred times.

Values: integers for ``uintN``/``intN``, 20-byte ``bytes`` for ``address``, ``bool``, ``bytes`` for
``bytesN``/``bytes``, ``str`` for ``string``, tuples for structs, sequences for arrays.

Source: the Solidity contract ABI specification,
https://docs.soliditylang.org/en/latest/abi-spec.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from eth_hash.auto import keccak

from harness.engine.base import Engine, Log, Transaction
from harness.errors import Reverted, ScenarioError

WORD = 32
_MAX_WORD = 1 << 256


class Words(NamedTuple):
    """An array of one-word items in their encoding, to give where an array is encoded often."""

    body: bytes


def read_words(data: bytes) -> list[int]:
    """A returned ``uint256[]`` as integers."""
    return [int.from_bytes(data[at : at + WORD], "big") for at in range(2 * WORD, len(data), WORD)]


@dataclass(frozen=True, slots=True)
class _Codec:
    """One ABI type: how wide its head is, and how to write and read it."""

    name: str
    head_size: int
    dynamic: bool
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes, int], Any]


def _uint_codec(name: str, bits: int) -> _Codec:
    bound = 1 << bits

    def encode(value: int) -> bytes:
        if not 0 <= value < bound:
            raise ValueError(f"{value} does not fit {name}")
        return value.to_bytes(WORD, "big")

    def decode(data: bytes, at: int) -> int:
        return int.from_bytes(data[at : at + WORD], "big")

    return _Codec(name, WORD, False, encode, decode)


def _int_codec(name: str, bits: int) -> _Codec:
    bound = 1 << (bits - 1)

    def encode(value: int) -> bytes:
        if not -bound <= value < bound:
            raise ValueError(f"{value} does not fit {name}")
        return value.to_bytes(WORD, "big", signed=True)

    def decode(data: bytes, at: int) -> int:
        return int.from_bytes(data[at : at + WORD], "big", signed=True)

    return _Codec(name, WORD, False, encode, decode)


def _address_codec() -> _Codec:
    pad = bytes(12)

    def encode(value: bytes) -> bytes:
        if len(value) != 20:
            raise ValueError(f"an address has 20 bytes, not {len(value)}")
        return pad + value

    def decode(data: bytes, at: int) -> bytes:
        return data[at + 12 : at + WORD]

    return _Codec("address", WORD, False, encode, decode)


def _bool_codec() -> _Codec:
    def encode(value: bool) -> bytes:
        return b"\x01".rjust(WORD, b"\0") if value else bytes(WORD)

    def decode(data: bytes, at: int) -> bool:
        return data[at + WORD - 1] != 0

    return _Codec("bool", WORD, False, encode, decode)


def _fixed_bytes_codec(name: str, size: int) -> _Codec:
    def encode(value: bytes) -> bytes:
        if len(value) != size:
            raise ValueError(f"{name} takes {size} bytes, not {len(value)}")
        return value.ljust(WORD, b"\0")

    def decode(data: bytes, at: int) -> bytes:
        return data[at : at + size]

    return _Codec(name, WORD, False, encode, decode)


def _bytes_codec(name: str) -> _Codec:
    text = name == "string"

    def encode(value: bytes | str) -> bytes:
        raw = value.encode() if isinstance(value, str) else value
        padded = -(-len(raw) // WORD) * WORD
        return len(raw).to_bytes(WORD, "big") + raw.ljust(padded, b"\0")

    def decode(data: bytes, at: int) -> bytes | str:
        size = int.from_bytes(data[at : at + WORD], "big")
        raw = data[at + WORD : at + WORD + size]
        return raw.decode("utf-8", "replace") if text else raw

    return _Codec(name, WORD, True, encode, decode)


def _encode_sequence(codecs: Sequence[_Codec], values: Sequence[Any]) -> bytes:
    """Head and tail encoding of a tuple."""
    if len(values) != len(codecs):
        raise ValueError(f"{len(codecs)} values are needed, {len(values)} were given")
    head: list[bytes] = []
    tail: list[bytes] = []
    offset = sum(codec.head_size for codec in codecs)
    for codec, value in zip(codecs, values, strict=True):
        encoded = codec.encode(value)
        if codec.dynamic:
            head.append(offset.to_bytes(WORD, "big"))
            tail.append(encoded)
            offset += len(encoded)
        else:
            head.append(encoded)
    return b"".join(head) + b"".join(tail)


def _decode_sequence(codecs: Sequence[_Codec], data: bytes, start: int) -> tuple[Any, ...]:
    values: list[Any] = []
    at = start
    for codec in codecs:
        if codec.dynamic:
            values.append(codec.decode(data, start + int.from_bytes(data[at : at + WORD], "big")))
        else:
            values.append(codec.decode(data, at))
        at += codec.head_size
    return tuple(values)


def _tuple_codec(codecs: Sequence[_Codec]) -> _Codec:
    dynamic = any(codec.dynamic for codec in codecs)
    size = WORD if dynamic else sum(codec.head_size for codec in codecs)
    name = "(" + ",".join(codec.name for codec in codecs) + ")"

    def encode(values: Sequence[Any]) -> bytes:
        return _encode_sequence(codecs, values)

    def decode(data: bytes, at: int) -> tuple[Any, ...]:
        return _decode_sequence(codecs, data, at)

    return _Codec(name, size, dynamic, encode, decode)


def _array_codec(item: _Codec, length: int | None) -> _Codec:
    def encode(values: Sequence[Any]) -> bytes:
        if length is None and isinstance(values, Words):
            return (len(values.body) // WORD).to_bytes(WORD, "big") + values.body
        if length is not None and len(values) != length:
            raise ValueError(f"{item.name}[{length}] was given {len(values)} values")
        if item.dynamic:
            body = _encode_sequence([item] * len(values), values)
        else:
            body = b"".join([item.encode(value) for value in values])
        return body if length is not None else len(values).to_bytes(WORD, "big") + body

    def decode(data: bytes, at: int) -> tuple[Any, ...]:
        if length is None:
            count = int.from_bytes(data[at : at + WORD], "big")
            at += WORD
        else:
            count = length
        if item.dynamic:
            return _decode_sequence([item] * count, data, at)
        size = item.head_size
        return tuple([item.decode(data, at + i * size) for i in range(count)])

    dynamic = length is None or item.dynamic
    size = WORD if dynamic else item.head_size * (length or 0)
    return _Codec(f"{item.name}[{'' if length is None else length}]", size, dynamic, encode, decode)


def _codec_of(parameter: Mapping[str, Any]) -> _Codec:
    """Codec of one ABI parameter (``{"type": ..., "components": ...}``)."""
    kind: str = parameter["type"]
    array = re.fullmatch(r"(.*)\[(\d*)\]", kind)
    if array:
        item = _codec_of({**parameter, "type": array[1]})
        return _array_codec(item, int(array[2]) if array[2] else None)
    if kind == "tuple":
        return _tuple_codec([_codec_of(part) for part in parameter["components"]])
    if kind in ("bytes", "string"):
        return _bytes_codec(kind)
    if kind == "address":
        return _address_codec()
    if kind == "bool":
        return _bool_codec()
    sized = re.fullmatch(r"(uint|int|bytes)(\d+)", kind)
    if not sized:
        raise ValueError(f"ABI type {kind} is not known")
    size = int(sized[2])
    if sized[1] == "uint":
        return _uint_codec(kind, size)
    return _int_codec(kind, size) if sized[1] == "int" else _fixed_bytes_codec(kind, size)


class Function:
    """Codec of one contract function."""

    __slots__ = ("_inputs", "_outputs", "_static_inputs", "name", "selector", "signature")

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        self._inputs = [_codec_of(part) for part in entry["inputs"]]
        self._outputs = [_codec_of(part) for part in entry.get("outputs", [])]
        self._static_inputs = not any(codec.dynamic for codec in self._inputs)
        self.signature = f"{self.name}({','.join(codec.name for codec in self._inputs)})"
        self.selector = keccak(self.signature.encode())[:4]

    def encode(self, *args: Any) -> bytes:
        """Call data for these arguments."""
        if self._static_inputs and len(args) == len(self._inputs):
            parts = [self.selector]
            for codec, value in zip(self._inputs, args, strict=True):
                parts.append(codec.encode(value))
            return b"".join(parts)
        return self.selector + _encode_sequence(self._inputs, args)

    def decode_input(self, data: bytes) -> tuple[Any, ...]:
        """Arguments held in call data."""
        return _decode_sequence(self._inputs, data, 4)

    def decode(self, data: bytes) -> Any:
        """The returned value; a tuple if there are several, None if there is none."""
        values = _decode_sequence(self._outputs, data, 0)
        if len(values) == 1:
            return values[0]
        return values or None


class Event:
    """Codec of one event."""

    __slots__ = ("_fields", "name", "signature", "topic")

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        codecs = [_codec_of(part) for part in entry["inputs"]]
        self._fields = [
            (part["name"], codec, bool(part["indexed"]))
            for part, codec in zip(entry["inputs"], codecs, strict=True)
        ]
        self.signature = f"{self.name}({','.join(codec.name for codec in codecs)})"
        self.topic = keccak(self.signature.encode())

    def decode(self, log: Log) -> dict[str, Any]:
        """The event's fields by name; an indexed dynamic field gives its 32-byte hash."""
        values: dict[str, Any] = {}
        topics = iter(log.topics[1:])
        plain: list[tuple[str, _Codec]] = []
        for name, codec, indexed in self._fields:
            if indexed:
                topic = next(topics)
                values[name] = topic if codec.dynamic else codec.decode(topic, 0)
            else:
                plain.append((name, codec))
        data = _decode_sequence([codec for _, codec in plain], log.data, 0)
        values.update(zip([name for name, _ in plain], data, strict=True))
        return values


@dataclass(frozen=True)
class Artifact:
    """A compiled contract: its ABI, creation code, and codecs by name.

    ``functions`` holds a function under its name and under its full signature; of overloaded
    functions only the signatures are held.
    """

    name: str
    bytecode: bytes
    deployed_bytecode: bytes
    constructor: _Codec
    functions: Mapping[str, Function]
    events: Mapping[bytes, Event]
    errors: Mapping[bytes, tuple[str, _Codec]]

    def initcode(self, *args: Any) -> bytes:
        """Creation code with its constructor arguments appended.

        Raises ScenarioError for an interface or abstract contract, which has no code.
        """
        if not self.bytecode:
            raise ScenarioError(f"artifact {self.name}", "no bytecode", "a deployable contract")
        return self.bytecode + self.constructor.encode(args)


def _hex_bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def parse_artifact(document: Mapping[str, Any]) -> Artifact:
    """An artifact from its JSON document (``contractName``, ``abi``, ``bytecode``)."""
    functions: dict[str, Function] = {}
    overloaded: set[str] = set()
    events: dict[bytes, Event] = {}
    constructor = _tuple_codec([])
    for entry in document["abi"]:
        if entry["type"] == "function":
            function = Function(entry)
            if function.name in functions:
                overloaded.add(function.name)
            functions[function.name] = functions[function.signature] = function
        elif entry["type"] == "event":
            event = Event(entry)
            events[event.topic] = event
        elif entry["type"] == "constructor":
            constructor = _tuple_codec([_codec_of(part) for part in entry["inputs"]])
    for name in overloaded:
        del functions[name]
    return Artifact(
        name=document["contractName"],
        bytecode=_hex_bytes(document["bytecode"]),
        deployed_bytecode=_hex_bytes(document["deployedBytecode"]),
        constructor=constructor,
        functions=functions,
        events=events,
        errors=_errors_of(document),
    )


def _errors_of(document: Mapping[str, Any]) -> dict[bytes, tuple[str, _Codec]]:
    """The custom errors of an artifact's JSON document, by selector."""
    errors: dict[bytes, tuple[str, _Codec]] = {}
    for entry in document["abi"]:
        if entry["type"] == "error":
            codec = _tuple_codec([_codec_of(part) for part in entry["inputs"]])
            errors[keccak(f"{entry['name']}{codec.name}".encode())[:4]] = (entry["name"], codec)
    return errors


@cache
def artifact(name: str) -> Artifact:
    """The committed artifact of that contract name; ScenarioError if there is none."""
    path = resources.files("harness") / "artifacts" / f"{name}.json"
    if not path.is_file():
        raise ScenarioError("artifact", name, "a contract of harness/artifacts")
    return parse_artifact(json.loads(path.read_text("utf-8")))


def load_artifact(path: str | Path, name: str | None = None) -> Artifact:
    """The artifact of a contract compiled elsewhere.

    Reads what Foundry writes to ``out``, Hardhat to ``artifacts``, and solc as standard or combined
    JSON; also the build-info files of the first two. Custom errors of the contract are known by
    name from then on.

    Args:
        path: the JSON file.
        name: which contract of a file that holds several: ``Name``, or ``File.sol:Name`` where two
            files have one of that name. By default the only one that can be deployed.

    Raises:
        ScenarioError: the file cannot be read or holds no such contract, or the contract has no
            bytecode, needs libraries linked, or has an ABI that is not understood.

    """
    path = Path(path)
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        allowed = f"a readable file ({error.strerror})"
        raise ScenarioError("artifact", str(path), allowed) from error
    except (ValueError, RecursionError) as error:
        raise ScenarioError("artifact", str(path), f"a JSON file ({error})") from error
    compiled = _choose(_compiled_contracts(document, path), path, name)
    where = f"{path} ({compiled['contractName']})"
    code = compiled["bytecode"]
    if not code:
        allowed = "a contract with bytecode, not an interface or an abstract contract"
        raise ScenarioError("artifact", where, allowed)
    if "__" in code:
        allowed = "bytecode with every library linked: compile with their addresses, or inline them"
        raise ScenarioError("artifact", where, allowed)
    try:
        loaded = parse_artifact(compiled)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScenarioError("artifact", where, f"a sound ABI and bytecode ({error})") from error
    _OUTSIDE_ERRORS.update(loaded.errors)
    return loaded


def _compiled_contracts(document: Any, path: Path) -> dict[str, dict[str, Any]]:
    """Every contract of a compiler's JSON by ``File.sol:Name``, as our own artifacts have it."""
    if isinstance(document, dict) and isinstance(document.get("output"), dict):
        document = document["output"]
    try:
        if "abi" in document:
            contract = _plain(_name_of(document, path), document)
            return {contract["contractName"]: contract}
        found = {}
        for unit, entry in document["contracts"].items():
            if "abi" in entry or "bin" in entry:
                found[unit] = _plain(unit.rpartition(":")[2], entry)
            else:
                for name, contract in entry.items():
                    found[f"{unit}:{name}"] = _plain(name, contract)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        allowed = "JSON of Foundry, Hardhat or solc (standard or combined) with abi and bytecode"
        raise ScenarioError("artifact", str(path), allowed) from error
    return found


def _name_of(document: Mapping[str, Any], path: Path) -> str:
    """The contract's name; Foundry has it in the metadata only, and as the file's name."""
    name: str = document.get("contractName", path.stem)
    return name


def _plain(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """One contract of any compiler's JSON as contractName, abi, bytecode and deployedBytecode."""
    abi = entry.get("abi", [])
    codes = entry.get("evm", entry)

    def code(long: str, short: str) -> str:
        value = codes.get(long, codes.get(short, ""))
        text = value.get("object", "") if isinstance(value, dict) else value
        return str(text).removeprefix("0x")

    return {
        "contractName": name,
        "abi": json.loads(abi) if isinstance(abi, str) else abi,
        "bytecode": code("bytecode", "bin"),
        "deployedBytecode": code("deployedBytecode", "bin-runtime"),
    }


def _choose(found: Mapping[str, dict[str, Any]], path: Path, name: str | None) -> Mapping[str, Any]:
    """The contract that is meant; ScenarioError if that is none or more than one."""
    if name is not None:
        chosen = {key: c for key, c in found.items() if name in (key, c["contractName"])}
    elif len(found) == 1:
        chosen = dict(found)
    else:
        chosen = {key: contract for key, contract in found.items() if contract["bytecode"]}
    if len(chosen) == 1:
        return next(iter(chosen.values()))
    known = ", ".join(found) or "none"
    if name is None:
        raise ScenarioError("artifact", str(path), f"the name of one of its contracts: {known}")
    raise ScenarioError("artifact", f"{path} ({name})", f"one of its contracts: {known}")


class Contract:
    """A deployed contract: an artifact at an address."""

    __slots__ = ("address", "artifact", "name")

    def __init__(self, name: str, address: bytes, compiled: Artifact | None = None) -> None:
        self.name = name
        self.address = address
        self.artifact = artifact(name) if compiled is None else compiled

    def __repr__(self) -> str:
        return f"Contract({self.name}, 0x{self.address.hex()})"

    def encode(self, function: str, *args: Any) -> bytes:
        """Call data of a function by name, or by full signature where it is overloaded."""
        return self.artifact.functions[function].encode(*args)

    def decode(self, function: str, data: bytes) -> Any:
        """What the function returned."""
        return self.artifact.functions[function].decode(data)

    def read(self, engine: Engine, function: str, *args: Any) -> Any:
        """What a function returns at the last block; Reverted if it reverts."""
        codec = self.artifact.functions[function]
        return codec.decode(engine.call(self.address, codec.encode(*args)))

    def transaction(self, sender: bytes, function: str, *args: Any) -> Transaction:
        """A call to this contract as a transaction."""
        return Transaction(sender, self.address, self.encode(function, *args))

    def event(self, log: Log) -> tuple[str, dict[str, Any]] | None:
        """Name and fields of a log this contract's ABI knows, else None."""
        if not log.topics:
            return None
        event = self.artifact.events.get(log.topics[0])
        return None if event is None else (event.name, event.decode(log))

    def events(self, logs: Iterable[Log], name: str) -> list[dict[str, Any]]:
        """Fields of every event of that name which this contract itself emitted, in order."""
        found = (self.event(log) for log in logs if log.address == self.address)
        return [hit[1] for hit in found if hit is not None and hit[0] == name]


_BUILT_IN_ERRORS: Mapping[bytes, tuple[str, _Codec]] = {
    keccak(b"Error(string)")[:4]: ("Error", _tuple_codec([_bytes_codec("string")])),
    keccak(b"Panic(uint256)")[:4]: ("Panic", _tuple_codec([_uint_codec("uint256", 256)])),
}


#: of contracts loaded from outside, by selector
_OUTSIDE_ERRORS: dict[bytes, tuple[str, _Codec]] = {}


@cache
def _known_errors() -> Mapping[bytes, tuple[str, _Codec]]:
    """Every custom error of every committed artifact, by selector."""
    known = dict(_BUILT_IN_ERRORS)
    folder = resources.files("harness") / "artifacts"
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if Path(path.name).suffix == ".json":
            known.update(_errors_of(json.loads(path.read_text("utf-8"))))
    return known


def decode_error(data: bytes, known: Mapping[bytes, tuple[str, _Codec]] | None = None) -> str:
    """Revert data as text: ``Name(arg, ...)``; addresses as hex.

    ``known`` adds the errors of contracts from outside. Data that no known error fits is given
    as hex, no data as "reverted without data".
    """
    if not data:
        return "reverted without data"
    selector = data[:4]
    entry = (known or {}).get(selector) or _OUTSIDE_ERRORS.get(selector)
    entry = entry or _known_errors().get(selector)
    if entry is None:
        return f"0x{data.hex()}"
    name, codec = entry
    values = codec.decode(data[4:], 0)
    shown = [f"0x{value.hex()}" if isinstance(value, bytes) else str(value) for value in values]
    return f"{name}({', '.join(shown)})"


def explain(error: Reverted) -> str:
    """A revert's decoded Solidity error."""
    return decode_error(error.data)
