"""Thousands of spoilt scenario files and price files at the command line: never a traceback.

Every case is derived from a printed seed. A case may be refused, or run and succeed or fail a
check; it may not raise, print more than a line for an error, or leave a half-written run.
"""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path

import pytest

import harness
from harness.cli import main
from harness.errors import ScenarioError
from harness.run import set_up
from harness.scenario import scenario_names
from harness.scenario.files import parse_scenario

SEED = int(os.environ.get("HARNESS_TEST_SEED", "20200312"))

SCENARIO = (Path(__file__).parent / "small.toml").read_text("utf-8")

SCENARIOS = Path(harness.__file__).parent / "scenarios"

#: A value longer than this is cut short in the line that refuses it.
LONGEST = 200

VALUES = [
    *("nan", "inf", "-inf", "-1", "0", "1", "2", "-0.0", "1e-9", "1e400", "1e18", "9" * 30),
    *('""', '"ETH"', '"nowhere"', '"\\u0000"', "true", "false"),
    *("[]", "[1]", "[[1,2]]", "{}", "{a=1}", "2020-03-12", "2020-03-12T00:00:00Z"),
]

#: Numbers that would only make a run long are not worth a fuzz case.
LONG_RUNNING = ("blocks", "count", "seconds_per_block")

CASES = {"fast": 400, "slow": 6_000}


def spoil_toml(text: str, draw: random.Random) -> str:
    """One to three changes to a scenario file."""
    lines = text.splitlines()
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(lines))
        line = lines[at]
        kind = draw.randrange(7)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(draw.randrange(len(lines)), line)
        elif kind == 2 and "=" in line:
            name = line.split("=", 1)[0]
            value = draw.choice(VALUES)
            if name.strip() in LONG_RUNNING and value[:1].isdigit():
                value = "2"
            lines[at] = f"{name}= {value}"
        elif kind == 3 and "=" in line:
            lines[at] = line.replace("=", draw.choice(["x =", "", "==", " = ["]), 1)
        elif kind == 4:
            cut = draw.randrange(len(line) + 1)
            lines[at] = (
                line[:cut] + draw.choice(["\\", '"', "[", "}", "é", "\t", "#", "0"]) + line[cut:]
            )
        elif kind == 5:
            other = draw.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 6 and line.startswith("["):
            lines[at] = draw.choice(
                ["[clock]", "[[asset]]", "[x]", "[asset]", "[[agent]]", "[[[a]]]"]
            )
        if not lines:
            break
    return "\n".join(lines) + draw.choice(["\n", "", "\n\n"])


def spoil_csv(draw: random.Random) -> bytes:
    """A price file with a few things wrong."""
    stamp = 1_583_971_200
    rows = [[str(stamp + 300 * i), str(200 - i)] for i in range(12)]
    header = draw.choice(["timestamp,price", "time,close", "date,open,high,low,close", "a,b", ""])
    for _ in range(draw.randint(1, 3)):
        at, column = draw.randrange(len(rows)), draw.randrange(2)
        junk = ["", "nan", "-1", "0", "1e400", "x", "2020-03-12", "2020-03-12T00:05:00Z", "\0", '"']
        change = draw.randrange(5)
        if change == 0:
            rows[at][column] = draw.choice(junk)
        elif change == 1:
            rows.insert(at, rows[at])
        elif change == 2:
            draw.shuffle(rows)
        elif change == 3:
            rows[at] = rows[at][: draw.randrange(3)]
        elif change == 4:
            rows[at] = [*rows[at], "7"]
        rows = rows or [["1", "1"]]
        rows = [row if len(row) >= 2 else [*row, "", ""] for row in rows]
    text = "\n".join([header, *(",".join(row) for row in rows)])
    data = text.encode()
    if draw.randrange(6) == 0:
        data = data[: draw.randrange(len(data) + 1)] + bytes(draw.randrange(256) for _ in range(5))
    return data


def check(arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str], case: str) -> int:
    """Runs the command line; returns its exit code."""
    try:
        code = main(["run", *arguments, "--out", str(out), "--json"])
    except SystemExit as stop:
        code = int(str(stop.code))
    printed = capsys.readouterr()
    assert code in (0, 1, 2), f"{case}: exit code {code}: {printed.err}"
    assert "Traceback" not in printed.err, case
    if code == 2:
        errors = [line for line in printed.err.splitlines() if line.startswith("harness: ")]
        assert printed.err.strip(), f"{case}: refused without a word"
        assert len(errors) == len(printed.err.splitlines()), f"{case}: {printed.err}"
        assert printed.out == "", case
        assert not out.exists(), f"{case}: refused, and left {sorted(out.iterdir())}"
    else:
        json.loads(printed.out, parse_constant=lambda name: pytest.fail(f"{case}: {name}"))
    return code


def run_cases(count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = 0
    for case in range(count):
        draw = random.Random(f"{SEED}/{case}")
        name = f"seed {SEED}, case {case}"
        out = tmp_path / f"out{case}"
        file = tmp_path / "scenario.toml"
        if draw.randrange(3):
            file.write_text(spoil_toml(SCENARIO, draw), "utf-8")
            refused += check([str(file)], out, capsys, name) == 2
        else:
            file.write_text(SCENARIO, "utf-8")
            prices = tmp_path / "prices.csv"
            prices.write_bytes(spoil_csv(draw))
            refused += check([str(file), "--prices", f"ETH={prices}"], out, capsys, name) == 2
    # a fuzz test whose cases all pass, or are all refused at once, tests nothing
    assert count * 0.2 < refused < count * 0.98


def test_a_few_hundred_spoilt_files_never_raise(tmp_path, capsys):
    run_cases(CASES["fast"], tmp_path, capsys)


def short_form(name: str) -> str:
    """A built-in scenario of two blocks, without the prose and comments that spoiling would hit."""
    text = (SCENARIOS / f"{name}.toml").read_text("utf-8")
    text = re.sub(r"(?m)^#.*\n", "", text)
    text = re.sub(r'(?s)description = """.*?"""\n', "", text)
    text = re.sub(r"(?s)(sources|assumptions|limitations) = \[\n.*?\n\]\n", "", text)
    return re.sub(r"(?m)^blocks = .*", "blocks = 2", text)


def refusal(text: str) -> ScenarioError | None:
    """Why a scenario is refused, None if it can be set up."""
    try:
        set_up(parse_scenario(text, folder=SCENARIOS), SEED)
    except ScenarioError as error:
        return error
    return None


def check_setting_up(count: int) -> None:
    """Every kind of venue, design, feed, population and agent there is, spoilt, up to its set-up:
    exchanges, isolated markets, auctions, suppliers and lenders have no part in the small one."""
    texts = [short_form(name) for name in scenario_names()]
    refused = 0
    for case in range(count):
        draw = random.Random(f"{SEED}/every kind/{case}")
        text = spoil_toml(draw.choice(texts), draw)
        error = refusal(text)
        if error is not None:
            refused += 1
            where = f"seed {SEED}, every kind, case {case}: {error}"
            assert error.field, where
            assert error.allowed, where
            assert "\n" not in str(error), where
            assert len(repr(error.value)) <= LONGEST or "..." in str(error), where
    assert count * 0.2 < refused < count * 0.98


def test_every_kind_of_part_spoilt_is_refused_in_a_line_or_set_up():
    check_setting_up(CASES["fast"])


@pytest.mark.slow
def test_thousands_of_every_kind_spoilt_never_raise():
    check_setting_up(CASES["slow"])


@pytest.mark.slow
def test_thousands_of_spoilt_files_never_raise(tmp_path, capsys):
    run_cases(CASES["slow"], tmp_path, capsys)
