"""Every script of scripts/attacks prints what lies beside it, and the table is theirs."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.attacks import attacks, markdown_table

if TYPE_CHECKING:
    from .conftest import Play

FOLDER = Path(__file__).parents[2] / "scripts" / "attacks"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.stem != "regenerate")


def test_every_attack_of_the_library_has_its_script() -> None:
    assert [path.stem for path in SCRIPTS] == sorted(name.replace("-", "_") for name in attacks())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_prints_what_lies_beside_it(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out == script.with_suffix(".txt").read_text("utf-8")


def test_the_table_says_what_the_attacks_come_to(play: Play) -> None:
    pairs = {name: (play(name), play(name, remedied=True)) for name in attacks()}
    assert (FOLDER / "table.md").read_text("utf-8") == markdown_table(pairs) + "\n"
