"""What a test asserts of a finished run.

    result = run(load_scenario("black-thursday"), seed=7)
    assert_solvent(result, within_bps=200)
    assert_no_bad_debt(result)
    assert_contained(result, between=["aave"], within=10)
    assert_digest(result, "0x...")

    result = play(load_attack("spot-oracle", ["remedied=true"]))
    assert_unprofitable(result)

Each says on failure in which block and with which account it began, and the command that runs the
same again. None passes on a run that proves nothing (`VacuousRun`), unless ``allow_vacuous`` is
set, nor on one that broke an invariant.
"""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from harness.attacks import AttackResult
from harness.engine import ENGINES, default_engine, default_engine_name
from harness.engine.base import Block, Transaction
from harness.errors import ScenarioError, VacuousRun
from harness.metrics.outcome import vault_usd
from harness.protocols.pooled_lending import WAD, PooledLendingVenue
from harness.run import RunResult, run, set_up
from harness.scenario import PRICE_UNIT, Scenario, dump_scenario, load_scenario
from harness.trace import BadDebtRow

__all__ = [
    "assert_contained",
    "assert_digest",
    "assert_no_bad_debt",
    "assert_solvent",
    "assert_unprofitable",
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
    venues = list(result.run.blocks[-1].every_venue)
    supplied = sum(_supplied(result, name) for name in venues)
    limit = _limit(supplied, within_bps)
    insolvency = _insolvency(result, -1, venues)
    if insolvency > limit:
        share = f"{insolvency * BPS / supplied:.3g} bps of what was" if supplied else "nothing was"
        text = f"insolvency of {_usd(insolvency)}: {share} supplied, {within_bps:g} allowed"
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
        text = f"bad debt of {_usd(total)} was written off in {len(rows)} debts"
        first = rows[0].block
        raise AssertionError(_explain(result, text, first, [rows[0].venue]))


def assert_contained(
    result: RunResult, *, between: Collection[str], within: float = 0, allow_vacuous: bool = False
) -> None:
    """Damage stays between these venues: in every other one insolvency at the end is at most
    ``within`` bp of what was supplied there at the start, at outside prices.

    Where the run measured contagion, what the venues named cause in any other is held to the same
    bound.

    Raises:
        AssertionError: it spread, or an invariant was broken.
        ScenarioError: a venue that the scenario does not have.
        VacuousRun: the run proves nothing.

    """
    __tracebackhide__ = True
    venues = list(result.run.blocks[-1].every_venue)
    for name in between:
        if name not in venues:
            raise ScenarioError("between", name, f"venues of the scenario: {', '.join(venues)}")
    _guard(result, allow_vacuous)
    matrix = (result.summary["contagion"] or {}).get("matrix") or {}
    inside = ", ".join(between) or "any venue"
    for name in venues:
        if name in between:
            continue
        limit = _limit(_supplied(result, name), within)
        insolvency = _insolvency(result, -1, [name])
        text = ""
        if insolvency > limit:
            text = f"insolvency of {_usd(insolvency)} in {name}, outside {inside}, "
        for source in between:
            caused = matrix.get(source, {}).get(name) or 0
            if abs(caused) * WAD > limit:
                text = f"{source} causes ${caused:,.2f} of insolvency in {name}, "
        if text:
            text += f"where {within:g} bps of what was supplied are allowed"
            first = _first_above(result, [name], limit)
            raise AssertionError(_explain(result, text, first, [name]))


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
        other = run(result.scenario, result.seed)
        if other.summary["digest"] == found:
            lines.append("  the run repeats itself: what it consists of has changed")
    lines += _first_difference(result, other)
    lines.append(f"  repeat: {replay_command(result)}")
    raise AssertionError("\n".join(lines))


def assert_unprofitable(result: AttackResult, within_usd: float = 0) -> None:
    """The attackers are better off by at most so many USD, at outside prices, fees deducted.

    On failure the step after which they first were is named.

    Raises:
        AssertionError: they gained more, or everybody's books do not balance.
        VacuousRun: they did nothing, or what stopped them is not the guard that should.

    """
    __tracebackhide__ = True
    attack = result.attack
    words = [f"{name}={value}" for name, value in vars(attack.parameters).items()]
    options = " ".join(f"--set {shlex.quote(_toml(word))}" for word in words)
    repeat = f"  repeat: harness attack {attack.name} {options} --engine {result.engine}"
    for name, problem in result.books.items():
        if problem is not None:
            raise AssertionError(f"the attack broke {name}: {problem}\n{repeat}")
    if result.profit_usd > within_usd:
        text = f"the attackers of {attack.name} gain ${result.profit_usd:,.2f}, "
        lines = [f"{text}${within_usd:,.2f} allowed"]
        for step in result.steps:
            if step.profit_usd > within_usd:
                lines.append(f"  first: block {step.block}, {step.actor}: {step.label}")
                break
        raise AssertionError("\n".join([*lines, repeat]))
    if result.vacuous:
        raise VacuousRun(f"nobody attacked, so that nothing is proved ({repeat.strip()})")
    if not result.named_guard:
        stopped = result.guard or "nothing"
        raise VacuousRun(
            f"{stopped} stopped the attack, not {attack.stopped_by}, so that the remedy is not "
            f"proved ({repeat.strip()})"
        )


# --- what is said on failure --------------------------------------------------------------------


def replay_command(result: RunResult) -> str:
    """The command that runs the same scenario, seed and engine again.

    A scenario that was not loaded by a name is written to a temporary file, which the command
    names.
    """
    words = ["--seed", str(result.seed)]
    if result.engine != default_engine_name() and result.engine in ENGINES:
        words += ["--engine", result.engine]
    return f"harness run {_origin(result.scenario)} {shlex.join(words)}"


def _toml(setting: str) -> str:
    """A setting with its booleans as TOML has them."""
    name, _, value = setting.partition("=")
    return f"{name}={value.lower() if value in ('True', 'False') else value}"


def _origin(scenario: Scenario) -> str:
    """What names a scenario on the command line."""
    if scenario.origin:
        words = shlex.split(scenario.origin)
        try:
            if load_scenario(words[0], words[2::2]) == scenario:
                return scenario.origin
        except ScenarioError:
            pass  # its file is gone: what it held is written down again
    text = dump_scenario(scenario)
    folder = Path(tempfile.gettempdir()) / "liquidation-harness"
    folder.mkdir(exist_ok=True)
    file = folder / f"{scenario.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.toml"
    file.write_text(text, "utf-8")
    return shlex.quote(str(file))


def _explain(result: RunResult, text: str, index: int | None, venues: Sequence[str]) -> str:
    lines = [text]
    if index is not None:
        row = result.run.blocks[index]
        moment = datetime.fromtimestamp(row.timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines.append(f"  first: block {index} ({moment}), {_culprit(result, index, venues)}")
    lines.append(f"  repeat: {replay_command(result)}")
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
        return "no single account"
    return f"{_account(result, name, number)} is short of {_usd(short)}"


def _written_off(result: RunResult, row: BadDebtRow) -> str:
    who = _account(result, row.venue, row.account)
    return f"{who} left {_usd(row.usd)} of {row.asset} debt without collateral"


def _account(result: RunResult, venue: str, number: int) -> str:
    if venue in result.world.exchanges:
        return f"{venue}, {result.world.exchanges[venue].label(number)}"
    handle = result.world.venues[venue]
    if number < 0:
        return f"{venue}, an account outside its populations"
    position = handle.positions[number]
    label = f" ({position.account})" if position.account else ""
    name = f"{position.population}/{position.index}{label}"
    return f"{venue}, account {name} 0x{handle.accounts[number].hex()}"


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
            if name in world.exchanges:
                continue
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
        lines = [f"  first: block {one.index} (chain block {one.number})"]
        sent = [
            sorted(
                (row.place, f"{row.agent} {row.action} {row.key} {row.status}", row.data)
                for row in each.run.transactions
                if row.block == one.index and row.place >= 0
            )
            for each in (result, other)
        ]
        for place, (mine, theirs) in enumerate(zip_longest(*sent)):
            if mine != theirs:
                here, there = (row[1] if row else "none" for row in (mine, theirs))
                other_data = " with other call data" if here == there else ""
                lines.append(f"  transaction {place}: {here} here, {there} there{other_data}")
                break
        return lines
    if len(result.run.blocks) != len(other.run.blocks):
        return [f"  {len(result.run.blocks)} blocks here, {len(other.run.blocks)} there"]
    return []


# --- figures ------------------------------------------------------------------------------------


def _guard(result: RunResult, allow_vacuous: bool) -> None:
    """Refuses a run that broke an invariant or proves nothing."""
    __tracebackhide__ = True
    broken = list(result.run.violations)
    if broken:
        command = replay_command(result)
        raise AssertionError(f"the run broke an invariant: {broken[0]}\n  repeat: {command}")
    if result.summary["checks"]["vacuous"] and not allow_vacuous:
        marker = "vacuous: "
        reasons = [text for text in result.summary["warnings"] if text.startswith(marker)]
        reason = reasons[0].removeprefix(marker) if reasons else "nothing happened"
        raise VacuousRun(f"{reason}, so that nothing is proved (repeat: {replay_command(result)})")


def _supplied(result: RunResult, venue: str) -> int:
    """Claims in a venue at the start at outside prices, USD WAD, rounded down; of an exchange the
    equity of its vault."""
    row = result.run.blocks[0]
    if venue in result.world.exchanges:
        return vault_usd(row.exchanges[venue], result.world.exchanges[venue])
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
    found = [row.every_venue[name] for name in venues]
    return sum(venue.bad_debt + venue.shortfall_market for venue in found)


def _first_above(result: RunResult, venues: Collection[str], limit: int) -> int | None:
    """The first block after which insolvency is above a limit."""
    for row in result.run.blocks:
        if _insolvency(result, row.index, venues) > limit:
            return row.index
    return None


def _usd(amount: int) -> str:
    """A USD amount in WAD for people."""
    return f"${amount / WAD:,.2f}"
