#!/usr/bin/env python3
"""Play every script of this folder again and write what it prints beside it.

    python scripts/attacks/regenerate.py            all of them, and table.md
    python scripts/attacks/regenerate.py NAME ...   these

A new attack of the library gets its script here first, with the parameters it has by default.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from harness.attacks import Attack, attacks, load_attack, markdown_table, play

HERE = Path(__file__).parent

TEMPLATE = '''"""{title}.

    python scripts/attacks/{module}.py

{sources}
"""

from harness.attacks import load_attack, play, transcript

{constants}

for remedied in ("false", "true"):
    attack = load_attack(
        "{name}",
        [
            f"remedied={{remedied}}",
{settings}
        ],
    )
    print(transcript(play(attack)), end="\\n\\n")
'''


def main() -> None:
    chosen = sys.argv[1:]
    for name, attack in attacks().items():
        module = name.replace("-", "_")
        if chosen and name not in chosen and module not in chosen:
            continue
        script = HERE / f"{module}.py"
        if not script.exists():
            script.write_text(_script(name, attack), "utf-8")
        printed = subprocess.run([sys.executable, script], capture_output=True, text=True)
        if printed.returncode:
            raise SystemExit(f"{script.name} failed:\n{printed.stderr}")
        script.with_suffix(".txt").write_text(printed.stdout, "utf-8")
        print(f"{script.name}: {len(printed.stdout.splitlines())} lines")
    if not chosen:
        (HERE / "table.md").write_text(_table(), "utf-8")


def _script(name: str, attack: Attack) -> str:
    own = [each.name for each in fields(attack.parameters) if each.name != "remedied"]
    values = {each: getattr(attack.parameters, each) for each in own}
    return TEMPLATE.format(
        title=attack.title[0].upper() + attack.title[1:],
        module=name.replace("-", "_"),
        name=name,
        sources="\n".join(attack.sources),
        constants="\n".join(
            f"{each.upper()} = {_literal(value)}" for each, value in values.items()
        ),
        settings="\n".join(f'            f"{each}={{{each.upper()}}}",' for each in own),
    )


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    if isinstance(value, float):
        return f"{int(value):_}" if value == int(value) else f"{value:_}"
    return f"{value:_}" if isinstance(value, int) else repr(value)


def _table() -> str:
    pairs = {
        name: (play(load_attack(name)), play(load_attack(name, ["remedied=true"])))
        for name in attacks()
    }
    return markdown_table(pairs) + "\n"


if __name__ == "__main__":
    main()
