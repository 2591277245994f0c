"""The attacks there are: the library's, and files of one's own."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.attacks import library
from harness.attacks.script import Attack, with_settings
from harness.errors import ScenarioError, nearest

__all__ = ["attacks", "load_attack"]


def attacks() -> Mapping[str, Attack]:
    """The library's attacks by name."""
    found: dict[str, Attack] = {}
    for module in pkgutil.iter_modules(library.__path__):
        attack: Attack = importlib.import_module(f"{library.__name__}.{module.name}").ATTACK
        found[attack.name] = attack
    return dict(sorted(found.items()))


def load_attack(name: str, settings: Sequence[str] = ()) -> Attack:
    """An attack of the library, the ``ATTACK`` of a Python file, or a TOML file.

    Raises ScenarioError if there is none, or a setting cannot be used.
    """
    path = Path(name)
    if path.suffix == ".py":
        attack = _from_file(path)
    elif path.suffix == ".toml":
        from harness.attacks.tables import load_table

        attack = load_table(path)
    else:
        known = attacks()
        if name not in known:
            allowed = f"a .py or .toml file, or {', '.join(known)}"
            raise ScenarioError("attack", name, allowed + nearest(name, known))
        attack = known[name]
    return with_settings(attack, settings)


def _from_file(path: Path) -> Attack:
    if not path.is_file():
        raise ScenarioError("attack", str(path), "a file that can be read")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ScenarioError("attack", str(path), "a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        attack = module.ATTACK
    except Exception as error:
        allowed = f"a Python file with an ATTACK ({type(error).__name__}: {error})"
        raise ScenarioError("attack", str(path), allowed) from error
    if not isinstance(attack, Attack):
        raise ScenarioError("attack", str(path), "a Python file whose ATTACK is an Attack")
    return attack
