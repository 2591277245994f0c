"""What a test asserts of a finished run.

    result = run(load_scenario("black-thursday"), seed=7)
    assert_solvent(result, within_bps=200)
    assert_no_bad_debt(result)
    assert_contained(result, between=["aave", "compound"], within=10)
    assert_digest(result, "0x...")

Each says on failure in which block and with which account it began, and the command that runs the
same again. None passes on a run that proves nothing (`VacuousRun`), unless ``allow_vacuous`` is
set, nor on one that broke an invariant.
"""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.engine import default_engine, default_engine_name
from harness.engine.base import Block, Transaction
from harness.errors import ScenarioError, VacuousRun
from harness.protocols.pooled_lending import WAD, PooledLendingVenue
from harness.run import RunResult, run, set_up
from harness.scenario import PRICE_UNIT, Scenario, dump_scenario, load_scenario, scenario_names
from harness.scenario._decode import encode, inline_value
from harness.trace import BadDebtRow, VenueBlock

__all__ = [
    "assert_contained",
    "assert_digest",
    "assert_no_bad_debt",
    "assert_solvent",
    "replay_command",
]

BPS = 10_000
_WAD_PER_PRICE = WAD // PRICE_UNIT


def assert_solvent(
    result: RunResult, within_bps: float = 1, *, allow_vacuous: bool = False
) -> None:
    """Insolvency at the end (bad debt + market shortfall, all venues together) is at most this
    many bp of what was supplied at the start, at outside prices.

    Raises:
        AssertionError: it is more, or an invariant was broken.
        VacuousRun: the run proves nothing.

    """
    __tracebackhide__ = True
    _guard(result, allow_vacuous)
    venues = list(result.run.blocks[-1].venues)
    supplied = sum(_supplied(result, name) for name in venues)
    limit = _limit(supplied, within_bps)
    insolvency = _insolvency(result, -1, venues)
    if insolvency > limit:
        share = f"{insolvency * BPS / supplied:.3g} bp" if supplied else "all"
        text = (
            f"insolvency of {_usd(insolvency)} is {share} of the {_usd(supplied)} supplied, "
            f"above {within_bps:g} bp"
        )
        raise AssertionError(_explain(result, text, _first_above(result, venues, limit), venues))


def assert_no_bad_debt(result: RunResult, *, allow_vacuous: bool = False) -> None:
    """Nothing was written off: no account ran out of collateral while it was in debt.

    Raises as `assert_solvent` does.
    """
    __tracebackhide__ = True
    _guard(result, allow_vacuous)
    rows = result.run.bad_debts
    if rows:
        total = sum(row.usd for row in rows)
        accounts = len({(row.venue, row.account) for row in rows})
        text = f"bad debt of {_usd(total)} in {accounts} accounts"
        first = rows[0].block
        raise AssertionError(_explain(result, text, first, [rows[0].venue]))


def assert_contained(
    result: RunResult, *, between: Collection[str], within: float, allow_vacuous: bool = False
) -> None:
    """Damage does not pass between these venues: all but the one where insolvency first arose end
    with at most ``within`` bp of what they were supplied at the start, at outside prices.

    Where the run measured contagion, each entry of its matrix between two of them must be within
    the same bound as well.

    Raises:
        AssertionError: it passed, or an invariant was broken.
        ScenarioError: fewer than two venues, or one that the scenario does not have.
        VacuousRun: the run proves nothing.

    """
    __tracebackhide__ = True
    last = result.run.blocks[-1].venues
    for name in between:
        if name not in last:
            raise ScenarioError("between", name, f"venues of the scenario: {', '.join(last)}")
    if len(set(between)) < 2:
        raise ScenarioError("between", ", ".join(between), "two venues or more")
    _guard(result, allow_vacuous)
    limits = {name: _limit(_supplied(result, name), within) for name in between}
    began = {name: _first_above(result, [name], 0) for name in between}
    damaged = [name for name in between if _insolvency(result, -1, [name])]
    origin = min(damaged, key=lambda name: began[name] or 0, default=None)
    for name in damaged:
        insolvency = _insolvency(result, -1, [name])
        if name != origin and insolvency > limits[name]:
            text = (
                f"damage passed from {origin} to {name}: insolvency of {_usd(insolvency)}, "
                f"above {within:g} bp of what it was supplied ({_usd(limits[name])})"
            )
            first = _first_above(result, [name], limits[name])
            raise AssertionError(_explain(result, text, first, [name]))
    matrix = ((result.summary["contagion"] or {}).get("matrix")) or {}
    for source, row in matrix.items():
        for target, caused in row.items():
            if source != target and {source, target} <= set(between):
                limit = limits[target] / WAD
                if abs(caused) > limit:
                    text = f"{source} causes {caused:,.2f} USD of {target}'s insolvency"
                    first = began[target]
                    raise AssertionError(_explain(result, text, first, [target]))


def assert_digest(
    result: RunResult, expected: str | RunResult, *, allow_vacuous: bool = False
) -> None:
    """The run has this digest, as hex, or that of another run.

    On failure against another run, the first block that differs is named. Against a digest, the
    scenario is run once more: either it does not repeat itself, and the first block that differs is
    named, or scenario, contracts or agents are no longer those of the digest.

    Raises as `assert_solvent` does.
    """
    __tracebackhide__ = True
    _guard(result, allow_vacuous)
    found = result.summary["digest"]
    wanted = expected if isinstance(expected, str) else expected.summary["digest"]
    if found == wanted.lower():
        return
    lines = [f"the digest is {found}, not {wanted}"]
    other = expected
    if isinstance(other, str):
        other = run(result.scenario, result.seed, result.engine)
        if other.summary["digest"] == found:
            lines.append("  the run repeats itself: what it consists of has changed")
    lines += _first_difference(result, other)
    lines.append(f"  replay: {replay_command(result)}")
    raise AssertionError("\n".join(lines))


# --- what is said on failure --------------------------------------------------------------------


def replay_command(result: RunResult) -> str:
    """The command that runs the same scenario, seed and engine again.

    A scenario that is neither built in nor a built-in one with values changed is written to a
    temporary file, which the command names.
    """
    scenario = result.scenario
    words = ["harness", "run", *_arguments(scenario), "--seed", str(result.seed)]
    if result.engine != default_engine_name():
        words += ["--engine", result.engine]
    return shlex.join(words)


def _arguments(scenario: Scenario) -> list[str]:
    if scenario.name in scenario_names():
        built_in = load_scenario(scenario.name)
        overrides = list(_changes("", encode(built_in), encode(scenario)))
        try:
            same = load_scenario(scenario.name, overrides) == scenario
        except ScenarioError:
            same = False
        if same:
            return [scenario.name, *[word for text in overrides for word in ("--set", text)]]
    text = dump_scenario(scenario)
    folder = Path(tempfile.gettempdir()) / "liquidation-harness"
    folder.mkdir(exist_ok=True)
    name = f"{scenario.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.toml"
    (folder / name).write_text(text, "utf-8")
    return [str(folder / name)]


def _changes(path: str, old: Any, new: Any) -> Iterator[str]:
    """``path=value`` for every value that differs."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key, value in new.items():
            here = f"{path}.{key}" if path else key
            if key not in old:
                yield f"{here}={inline_value(value)}"
            else:
                yield from _changes(here, old[key], value)
    elif _tables(old) and _tables(new) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            label = other.get("name") or other.get("symbol")
            step = f".{label}" if label and "." not in label else f"[{index}]"
            yield from _changes(path + step, one, other)
    else:
        yield f"{path}={inline_value(new)}"


def _tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _explain(result: RunResult, text: str, index: int | None, venues: Sequence[str]) -> str:
    lines = [text]
    if index is not None:
        row = result.run.blocks[index]
        moment = datetime.fromtimestamp(row.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        lines.append(f"  first in block {index} of the run (chain block {row.number}, {moment})")
        lines.append(f"  {_culprit(result, index, venues)}")
    lines.append(f"  replay: {replay_command(result)}")
    return "\n".join(lines)


def _culprit(result: RunResult, index: int, venues: Sequence[str]) -> str:
    """The account with the largest loss in a block: written off there, or short at its end."""
    written_off = [
        row for row in result.run.bad_debts if row.block == index and row.venue in venues
    ]
    if written_off:
        worst = max(written_off, key=lambda row: row.usd)
        return _written_off(result, worst)
    name, number, short = _most_short(result, index, venues)
    if number is None:
        return "no single account is short"
    return f"account {_account(result, name, number)} was short of {_usd(short)}"


def _written_off(result: RunResult, row: BadDebtRow) -> str:
    who = _account(result, row.venue, row.account)
    return f"account {who} left {_usd(row.usd)} of {row.asset} debt without collateral"


def _account(result: RunResult, venue: str, number: int) -> str:
    handle = result.world.venues[venue]
    if number < 0:
        return f"outside the populations of {venue}"
    position = handle.positions[number]
    label = f" ({position.account})" if position.account else ""
    address = handle.accounts[number].hex()
    return f"{position.population}/{position.index}{label} of {venue}, 0x{address},"


def _most_short(
    result: RunResult, index: int, venues: Sequence[str]
) -> tuple[str, int | None, int]:
    """Executes the run's transactions again up to a block, and asks the chain who is short."""
    _, world = set_up(result.scenario, result.seed)
    engine = default_engine()
    worst: tuple[str, int | None, int] = ("", None, 0)
    try:
        for block in (*result.setup, *_run_blocks(result, index)):
            engine.execute(block)
        external = result.run.blocks[index].external
        for name in venues:
            venue = world.venues[name]
            if not isinstance(venue, PooledLendingVenue):
                continue
            venue.refresh(engine)
            prices = [external[symbol] * _WAD_PER_PRICE for symbol in venue.assets]
            cover = venue.cover(venue.states(engine), prices)
            for number in (cover < 1 + 1e-9).nonzero()[0].tolist():
                short = venue.shortfall(engine, [number], prices).market
                if short > worst[2]:
                    worst = (name, number, short)
    finally:
        engine.close()
    return worst


def _run_blocks(result: RunResult, last: int) -> Iterator[Block]:
    """The executed blocks of the run up to this one."""
    sent: dict[int, list[tuple[int, Transaction]]] = {}
    for row in result.run.transactions:
        if row.place >= 0 and row.block <= last:
            transaction = Transaction(row.sender, row.to, row.data)
            sent.setdefault(row.block, []).append((row.place, transaction))
    for block in result.run.blocks[: last + 1]:
        placed = sorted(sent.get(block.index, []))
        yield Block(block.number, block.timestamp, tuple(entry for _, entry in placed))


def _first_difference(result: RunResult, other: RunResult) -> list[str]:
    """The first block whose digests differ, and the first of its transactions."""
    if list(result.setup_digests) != list(other.setup_digests):
        return ["  the set-up differs: other contracts, prices or positions"]
    for one, two in zip(result.run.blocks, other.run.blocks, strict=False):
        if one.digest == two.digest:
            continue
        lines = [f"  first in block {one.index} of the run (chain block {one.number})"]
        sent = [
            sorted(
                (row.place, row.agent, row.action, row.key, row.status)
                for row in passed.run.transactions
                if row.block == one.index and row.place >= 0
            )
            for passed in (result, other)
        ]
        width = max(map(len, sent))
        here, there = ([*rows, *[None] * (width - len(rows))] for rows in sent)
        for mine, theirs in zip(here, there, strict=True):
            if mine != theirs:
                lines.append(f"  transaction {_sent(mine)} here, {_sent(theirs)} there")
                break
        return lines
    if len(result.run.blocks) != len(other.run.blocks):
        return [f"  {len(result.run.blocks)} blocks here, {len(other.run.blocks)} there"]
    return []


def _sent(row: tuple[int, str, str, str, str] | None) -> str:
    return "missing" if row is None else " ".join(str(part) for part in row if part != "")


# --- figures ------------------------------------------------------------------------------------


def _guard(result: RunResult, allow_vacuous: bool) -> None:
    """Refuses a run that broke an invariant or proves nothing."""
    __tracebackhide__ = True
    broken = list(result.run.violations)
    if broken:
        command = replay_command(result)
        raise AssertionError(f"the run broke an invariant: {broken[0]}\n  replay: {command}")
    if result.summary["checks"]["vacuous"] and not allow_vacuous:
        marker = "vacuous: "
        reasons = [text for text in result.summary["warnings"] if text.startswith(marker)]
        reason = reasons[0].removeprefix(marker) if reasons else "nothing happened"
        raise VacuousRun(f"{reason}, so that nothing is proved (replay: {replay_command(result)})")


def _supplied(result: RunResult, venue: str) -> int:
    """Claims in a venue at the start at outside prices, USD WAD, rounded down."""
    row = result.run.blocks[0]
    handle = result.world.venues[venue]
    total = 0
    for symbol, places, state in zip(
        handle.assets, handle.decimals, row.venues[venue].states, strict=True
    ):
        price = row.external[symbol] * _WAD_PER_PRICE
        total += state.total_claims * price // 10**places
    return total


def _limit(supplied: int, bps: float) -> int:
    """So many bp of an amount, exact to a millionth of a bp."""
    return supplied * round(bps * 10**6) // (BPS * 10**6)


def _insolvency(result: RunResult, index: int, venues: Collection[str]) -> int:
    """Bad debt so far and market shortfall at the end of a block, USD WAD."""
    row = result.run.blocks[index]
    found: list[VenueBlock] = [row.venues[name] for name in venues]
    return sum(venue.bad_debt + venue.shortfall_market for venue in found)


def _first_above(result: RunResult, venues: Collection[str], limit: int) -> int | None:
    """The first block after which insolvency is above a limit."""
    for row in result.run.blocks:
        if _insolvency(result, row.index, venues) > limit:
            return row.index
    return None


def _usd(amount: int) -> str:
    """A USD amount in WAD for people."""
    return f"{amount / WAD:,.2f} USD"
