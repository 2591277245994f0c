"""Scenarios from TOML and back: built-in names, files, ``--set`` overrides, price files."""

from __future__ import annotations

import dataclasses
import re
import shlex
import tomllib
from collections.abc import Sequence
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

from harness.errors import ScenarioError, nearest
from harness.prices.series import load_price_csv
from harness.scenario._check import check
from harness.scenario._decode import decode_table, encode, write_toml
from harness.scenario.model import Scenario
from harness.scenario.populations import Positions
from harness.scenario.positions import load_positions
from harness.scenario.prices import ReplayPrice

_IDENTIFIERS = ("name", "symbol")


def scenario_names() -> tuple[str, ...]:
    """Names of the built-in scenarios, sorted."""
    folder = resources.files("harness") / "scenarios"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[: -len(".toml")] for name in names if name.endswith(".toml")))


def load_scenario(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """A scenario by built-in name or by the path of a TOML file, with overrides applied.

    Args:
        name_or_path: ``black-thursday``, or a path that ends in ``.toml``.
        overrides: ``path=value`` each, before defaults and file. An element of an array is named
            by its name or symbol or its index: ``venue.aave.close_factor_bps=10000``,
            ``asset.ETH.external.depth_2pct_usd=1e6``, ``venue[0].asset[1].ltv_bps=0``. The value
            is TOML; what is not is taken as text.

    Raises:
        ScenarioError: unknown name, unreadable file, or bad content; it names the field.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text:
        path = Path(name_or_path)
        try:
            raw = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ScenarioError("scenario", text, f"a readable file ({reason})") from error
        return _with_origin(parse_scenario(raw, overrides, folder=path.parent), text, overrides)
    if text not in scenario_names():
        allowed = "one of " + ", ".join(scenario_names()) + ", or the path of a .toml file"
        raise ScenarioError("scenario", text, allowed + nearest(text, scenario_names()))
    source = resources.files("harness") / "scenarios" / f"{text}.toml"
    return _with_origin(parse_scenario(source.read_bytes(), overrides), text, overrides)


def _with_origin(scenario: Scenario, name: str, overrides: Sequence[str]) -> Scenario:
    """The scenario with what names it on the command line."""
    words = [name, *chain.from_iterable(("--set", override) for override in overrides)]
    return dataclasses.replace(scenario, origin=shlex.join(words))


def parse_scenario(
    content: str | bytes, overrides: Sequence[str] = (), folder: Path | None = None
) -> Scenario:
    """A scenario from TOML text; ``folder`` is where files it names are looked for.

    Raises:
        ScenarioError: as :func:`load_scenario`.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    except UnicodeDecodeError as error:
        raise ScenarioError("scenario", f"byte {error.start}", "UTF-8 text") from error
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise ScenarioError("scenario", "the file", f"valid TOML ({error})") from error
    for override in overrides:
        _apply(table, override)
    schema = table.get("schema")
    if isinstance(schema, bool) or schema != 1:
        raise ScenarioError("schema", schema, "required: 1, the version of the format")
    if "scenario" in table:
        allowed = "no field of a scenario but of a sweep, which `harness sweep` runs"
        raise ScenarioError("scenario", table["scenario"], allowed)
    scenario: Scenario = decode_table(Scenario, table, "")
    return checked(_read_files(scenario, folder or Path()))


def checked(scenario: Scenario) -> Scenario:
    """The same scenario with its warnings; for one built or changed in Python.

    Raises:
        ScenarioError: fields that contradict each other.
    """
    return dataclasses.replace(scenario, warnings=check(scenario))


def dump_scenario(scenario: Scenario) -> str:
    """TOML text from which :func:`parse_scenario` gives an equal scenario.

    Files the scenario was made from are inlined.
    """
    table = {"schema": scenario.schema, **encode(scenario)}
    return write_toml(table)


def with_price_file(scenario: Scenario, argument: str) -> Scenario:
    """The scenario with a replayed asset's path taken from a CSV (``--prices``).

    The path is ``FILE.csv``, or ``SYMBOL=FILE.csv`` where more than one asset is replayed. The
    clock keeps its start, which the file must cover; where the file ends earlier, the run ends
    with it, and a warning says so. Interpolation, ``scale``, ``max_gap_s`` and shocks stay as the
    scenario has them.

    Raises:
        ScenarioError: no such asset, a bad file (with its line number), or no overlap.
    """
    symbol, file = _price_argument(scenario, argument)
    index = [asset.symbol for asset in scenario.assets].index(symbol)
    asset = scenario.assets[index]
    old = asset.price if isinstance(asset.price, ReplayPrice) else ReplayPrice()
    points = load_price_csv(file, max_gap_s=old.max_gap_s)
    clock = scenario.clock
    first, last = points[0][0], points[-1][0]
    span = f"prices from {first} to {last}"
    if last < clock.start or first > clock.time(clock.blocks - 1):
        end = clock.time(clock.blocks - 1)
        allowed = f"overlap with the clock ({clock.start} to {end}): set clock.start"
        raise ScenarioError("--prices", f"{file}: {span}", allowed)
    if first > clock.start:
        raise ScenarioError(
            "--prices", f"{file}: {span}", f"cover clock.start = {clock.start}, or set clock.start"
        )
    blocks = min(clock.blocks, (last - clock.start) // clock.seconds_per_block + 1)
    price = dataclasses.replace(old, points=points, file="")
    assets = list(scenario.assets)
    assets[index] = dataclasses.replace(asset, price=price)
    changed = checked(
        dataclasses.replace(
            scenario, assets=tuple(assets), clock=dataclasses.replace(clock, blocks=blocks)
        )
    )
    if blocks < clock.blocks:
        note = f"--prices: {file} ends after {blocks} of {clock.blocks} blocks: the run ends there"
        changed = dataclasses.replace(changed, warnings=(*changed.warnings, note))
    return changed


def _price_argument(scenario: Scenario, argument: str) -> tuple[str, str]:
    shares = [asset.symbol for asset in scenario.assets if asset.is_share]
    symbols = [asset.symbol for asset in scenario.assets if not asset.is_share]
    head, equals, tail = argument.partition("=")
    if equals and head in symbols:
        return head, tail
    if equals and head in shares:
        allowed = f"SYMBOL=FILE.csv with one of {', '.join(symbols)}: {head} is a vault's share"
        raise ScenarioError("--prices", argument, allowed)
    replayed = [a.symbol for a in scenario.assets if isinstance(a.price, ReplayPrice)]
    if len(replayed) != 1:
        allowed = f"SYMBOL=FILE.csv with one of {', '.join(symbols)}"
        if not equals:
            allowed += (
                f" (FILE.csv alone is for the one asset that is replayed: {len(replayed)} are)"
            )
        raise ScenarioError("--prices", argument, allowed)
    return replayed[0], argument


def _read_files(scenario: Scenario, folder: Path) -> Scenario:
    assets = list(scenario.assets)
    for i, asset in enumerate(assets):
        price = asset.price
        if isinstance(price, ReplayPrice) and price.file:
            if price.points:
                raise ScenarioError(f"asset[{i}].price.file", price.file, "either file or points")
            points = load_price_csv(folder / price.file, max_gap_s=price.max_gap_s)
            assets[i] = dataclasses.replace(
                asset, price=dataclasses.replace(price, points=points, file="")
            )
    symbols = [asset.symbol for asset in assets]
    populations = list(scenario.populations)
    for i, population in enumerate(populations):
        if isinstance(population, Positions) and (population.file or population.tables):
            populations[i] = load_positions(population, folder, f"population[{i}]", symbols)
    return dataclasses.replace(scenario, assets=tuple(assets), populations=tuple(populations))


def _apply(table: dict[str, Any], override: str) -> None:
    """Set one value of the raw table, ``path=value``."""
    path, equals, text = override.partition("=")
    path = path.strip()
    if not equals or not re.fullmatch(r"[\w-]+(\[\d+\])*(\.[\w-]+(\[\d+\])*)*", path):
        raise ScenarioError(
            "--set", override, "path=value, such as venue.aave.close_factor_bps=5000"
        )
    steps: list[str | int] = [
        int(part[1:-1]) if part.startswith("[") else part
        for part in re.findall(r"[\w-]+|\[\d+\]", path)
    ]
    node: Any = table
    walked = ""
    for i, step in enumerate(steps):
        last = i == len(steps) - 1
        node, walked = _step(node, walked, step, _value(text) if last else None, last)


def _step(node: Any, walked: str, step: str | int, value: Any, last: bool) -> tuple[Any, str]:
    """Descend one step (creating a missing table), or assign at the last one."""
    if isinstance(node, list):
        index = step if isinstance(step, int) else _find(node, walked, step)
        here = f"{walked}[{index}]"
        if index >= len(node):
            raise ScenarioError("--set", here, f"an index below {len(node)}")
    elif isinstance(node, dict) and isinstance(step, str):
        index_key, here = step, f"{walked}.{step}" if walked else step
        if last:
            node[index_key] = value
            return node, here
        return node.setdefault(index_key, {}), here
    else:
        raise ScenarioError("--set", f"{walked or 'scenario'}.{step}", f"{walked} is not a table")
    if last:
        node[index] = value
    return node[index], here


def _find(items: list[Any], walked: str, wanted: str) -> int:
    names = []
    for i, item in enumerate(items):
        if isinstance(item, dict):
            known = [str(item[key]) for key in _IDENTIFIERS if key in item]
            if wanted in known:
                return i
            names.extend(known)
    if wanted.isdecimal() and int(wanted) < len(items):
        return int(wanted)
    allowed = (
        f"an element of {walked} by name or index: {', '.join(names) or f'0..{len(items) - 1}'}"
    )
    raise ScenarioError("--set", f"{walked}.{wanted}", allowed)


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text.strip()}")
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        return text.strip()
    return parsed["value"] if set(parsed) == {"value"} else text.strip()
