"""Decoding of TOML tables into frozen dataclasses, driven by their annotations.

A field's type says what is allowed: ``int``, ``float``, ``str``, ``bool``, ``Literal``, an
``Annotated`` number with :class:`Range`, a string with :class:`Pattern`, an epoch with
:class:`Instant`, ``tuple[X, ...]``, ``tuple[A, B]``, :data:`Amounts` (a table of symbol to number),
another dataclass, ``object`` (any value), or the base class of a family whose members are told
apart by a tag field (:class:`Family`). Everything else about a table is an error that names the
field by its path.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from harness.errors import ScenarioError, importable, nearest

_MISSING = dataclasses.MISSING
_LONGEST_VALUE = 80


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """Allowed interval of a number; ``above`` excludes the lower end."""

    low: float | None = None
    high: float | None = None
    above: bool = False

    def __str__(self) -> str:
        if self.low is None and self.high is None:
            return "a finite number"
        lower = "" if self.low is None else f"{'>' if self.above else '>='} {_short(self.low)}"
        upper = "" if self.high is None else f"<= {_short(self.high)}"
        return " and ".join(part for part in (lower, upper) if part)

    def holds(self, value: float) -> bool:
        """Whether the value lies within."""
        if self.low is not None and (value < self.low or (self.above and value == self.low)):
            return False
        return self.high is None or value <= self.high


@dataclasses.dataclass(frozen=True, slots=True)
class Pattern:
    """Allowed form of a string."""

    expression: str
    meaning: str


@dataclasses.dataclass(frozen=True, slots=True)
class Instant:
    """Marks an integer as epoch seconds; the file may give ISO 8601 text or a TOML date-time."""


@dataclasses.dataclass(frozen=True, slots=True)
class TableOf:
    """Marks a tuple of (key, value) pairs that the file writes as a table."""


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """Name of the field in the file where it differs from the attribute (arrays are singular)."""

    name: str


def _short(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e6 else str(value)


class Family:
    """Base of dataclasses that share a place in the file and are told apart by a tag field.

    A direct subclass names the tag (``tag = "kind"``); each concrete class names its value
    (``kind_name = "pool"``) and is registered by being defined. A value of the form
    ``module:Class`` names a dataclass outside this package that derives from the same base.
    """

    __slots__ = ()
    tag: ClassVar[str]
    kind_name: ClassVar[str] = ""
    members: ClassVar[dict[str, type[Family]]]

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if Family in cls.__bases__:
            cls.members = {}
        elif cls.__dict__.get("kind_name"):
            held = cls.members.get(cls.kind_name)
            # a dataclass with slots is made twice, under one name
            if held and (held.__module__, held.__qualname__) != (cls.__module__, cls.__qualname__):
                raise TypeError(f"{cls.tag} {cls.kind_name!r} is {held.__qualname__} already")
            cls.members[cls.kind_name] = cls

    @classmethod
    def named(cls, path: str, value: object) -> type[Family]:
        """The member a tag value names. Raises ScenarioError if there is none."""
        allowed = "one of " + ", ".join(sorted(cls.members)) + ", or module:Class"
        if not isinstance(value, str):
            raise ScenarioError(path, value, allowed)
        if value in cls.members:
            return cls.members[value]
        if ":" not in value:
            raise ScenarioError(path, value, allowed + nearest(value, cls.members))
        module_name, _, class_name = value.partition(":")
        try:
            found: object = importlib.import_module(module_name)
            for part in class_name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, ValueError) as error:
            raise ScenarioError(path, value, importable(error)) from error
        if not (
            isinstance(found, type) and issubclass(found, cls) and dataclasses.is_dataclass(found)
        ):
            raise ScenarioError(path, value, f"a dataclass that derives from {cls.__name__}")
        return found

    @classmethod
    def tag_value(cls) -> str:
        """What the file writes in the tag field for this class."""
        return cls.kind_name or f"{cls.__module__}:{cls.__qualname__}"


def require_known(value: str, names: Sequence[str], path: str, what: str) -> None:
    """Raises ScenarioError for a name that is none of these; ``what`` says what they are."""
    if value not in names:
        allowed = f"{what}: one of {', '.join(names) or '(there are none)'}"
        raise ScenarioError(path, value, allowed + nearest(value, names))


def require_built_in(member: Family, kinds: tuple[type[Family], ...], path: str) -> None:
    """Raises ScenarioError for a member from outside where only these kinds will do."""
    if not isinstance(member, kinds):
        allowed = "one of " + ", ".join(sorted(kind.kind_name for kind in kinds))
        raise ScenarioError(f"{path}.{member.tag}", member.tag_value(), allowed)


@dataclasses.dataclass(frozen=True, slots=True)
class FieldSpec:
    """One dataclass field as the file sees it."""

    attribute: str
    key: str
    type: Any
    default: object
    """The default, or dataclasses.MISSING where the file must give a value."""


def fields_of(cls: type[Any]) -> tuple[FieldSpec, ...]:
    """The fields of a dataclass that the file holds, in order."""
    if cls not in _FIELDS:
        _FIELDS[cls] = _read_fields(cls)
    return _FIELDS[cls]


_FIELDS: dict[type[Any], tuple[FieldSpec, ...]] = {}


def _read_fields(cls: type[Any]) -> tuple[FieldSpec, ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    specs = []
    for field in dataclasses.fields(cls):
        if not field.metadata.get("in_file", True):
            continue
        hint = hints[field.name]
        key = next((mark.name for mark in _marks(hint) if isinstance(mark, Key)), field.name)
        default: object = field.default
        if default is _MISSING and field.default_factory is not _MISSING:
            default = field.default_factory()
        specs.append(FieldSpec(field.name, key, hint, default))
    return tuple(specs)


def _error(path: str, raw: object, allowed: str) -> ScenarioError:
    """The error for a value; long values are cut short, so that it fits a line."""
    if isinstance(raw, int) and raw.bit_length() > 3 * _LONGEST_VALUE:
        return ScenarioError(path, "an integer of many digits", allowed)
    text = repr(raw)
    shown = raw if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
    return ScenarioError(path, shown, allowed)


def _marks(hint: Any) -> tuple[Any, ...]:
    return hint.__metadata__ if typing.get_origin(hint) is Annotated else ()


def decode_table(cls: type[Any], raw: object, path: str) -> Any:
    """A dataclass (or the right member of a family) from a table.

    Raises:
        ScenarioError: an unknown or missing field, a wrong type, a value out of range.
    """
    if not isinstance(raw, Mapping):
        raise _error(path, raw, "a table")
    table = dict(raw)
    if issubclass(cls, Family) and not dataclasses.is_dataclass(cls):
        tag = cls.tag
        if tag not in table:
            allowed = "required: one of " + ", ".join(sorted(cls.members))
            raise ScenarioError(_join(path, tag), None, allowed)
        cls = cls.named(_join(path, tag), table.pop(tag))
    specs = fields_of(cls)
    known = {spec.key for spec in specs}
    for key in table:
        if key not in known:
            raise ScenarioError(
                _join(path, key),
                table[key],
                "known fields: " + (", ".join(sorted(known)) or "(none)") + nearest(key, known),
            )
    values: dict[str, object] = {}
    for spec in specs:
        here = _join(path, spec.key)
        if spec.key in table:
            values[spec.attribute] = decode(spec.type, table[spec.key], here)
        elif spec.default is _MISSING:
            raise ScenarioError(here, None, f"required: {describe(spec.type)}")
    return cls(**values)


def decode(hint: Any, raw: object, path: str) -> Any:
    """A value of the annotated type from its TOML form. Raises ScenarioError."""
    marks = _marks(hint)
    base = typing.get_args(hint)[0] if marks else hint
    if base is object:
        return raw
    origin, args = typing.get_origin(base), typing.get_args(base)
    if origin in (typing.Union, types.UnionType):
        (inner,) = [arg for arg in args if arg is not type(None)]
        return decode(Annotated[inner, *marks] if marks else inner, raw, path)
    if origin is Literal:
        if raw not in args or isinstance(raw, bool):
            raise _error(path, raw, describe(hint))
        return raw
    if origin is tuple and any(isinstance(mark, TableOf) for mark in marks):
        if not isinstance(raw, Mapping):
            raise _error(path, raw, describe(hint))
        _, value_type = typing.get_args(args[0])
        pairs = ((str(key), decode(value_type, raw[key], _join(path, str(key)))) for key in raw)
        return tuple(sorted(pairs))
    if origin is tuple:
        if not isinstance(raw, list | tuple):
            raise _error(path, raw, describe(hint))
        if args[-1] is Ellipsis:
            return tuple(decode(args[0], item, f"{path}[{i}]") for i, item in enumerate(raw))
        if len(raw) != len(args):
            raise _error(path, raw, describe(hint))
        both = zip(args, raw, strict=True)
        return tuple(decode(arg, item, f"{path}[{i}]") for i, (arg, item) in enumerate(both))
    if isinstance(base, type) and (dataclasses.is_dataclass(base) or issubclass(base, Family)):
        return decode_table(base, raw, path)
    return _decode_scalar(base, marks, raw, path, describe(hint))


def _decode_scalar(base: Any, marks: tuple[Any, ...], raw: object, path: str, allowed: str) -> Any:
    if any(isinstance(mark, Instant) for mark in marks):
        raw = parse_instant(raw, path)
    if base is bool:
        if not isinstance(raw, bool):
            raise _error(path, raw, allowed)
        return raw
    if base is str:
        if not isinstance(raw, str):
            raise _error(path, raw, allowed)
        for mark in marks:
            if isinstance(mark, Pattern) and not re.fullmatch(mark.expression, raw):
                raise _error(path, raw, allowed)
        return raw
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise _error(path, raw, allowed)
    if isinstance(raw, float) and not math.isfinite(raw):
        raise _error(path, raw, allowed)
    if base is int:
        if raw != int(raw):
            raise _error(path, raw, allowed)
        number: int | float = int(raw)
    else:
        try:
            number = float(raw)
        except OverflowError as error:
            raise _error(path, raw, allowed) from error
    for mark in marks:
        if isinstance(mark, Range) and not mark.holds(number):
            raise _error(path, raw, allowed)
    return number


def parse_instant(raw: object, path: str) -> int:
    """Epoch seconds from an integer, ISO 8601 text (UTC if it does not say) or a date-time."""
    allowed = "epoch seconds or an ISO 8601 time"
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        try:
            raw = dt.datetime.fromisoformat(raw.strip())
        except ValueError as error:
            raise _error(path, raw, allowed) from error
    if isinstance(raw, dt.date) and not isinstance(raw, dt.datetime):
        raw = dt.datetime(raw.year, raw.month, raw.day)
    if not isinstance(raw, dt.datetime):
        raise _error(path, raw, allowed)
    aware = raw if raw.tzinfo else raw.replace(tzinfo=dt.UTC)
    whole, rest = divmod(aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.timedelta(seconds=1))
    if rest:
        raise ScenarioError(path, raw.isoformat(), "a time in whole seconds")
    return whole


def describe(hint: Any) -> str:
    """What a field of this type allows, in words."""
    marks = _marks(hint)
    base = typing.get_args(hint)[0] if marks else hint
    origin, args = typing.get_origin(base), typing.get_args(base)
    limits = "".join(f" {mark}" for mark in marks if isinstance(mark, Range))
    for mark in marks:
        if isinstance(mark, Pattern):
            return mark.meaning
        if isinstance(mark, Range) and mark.low is None and mark.high is None:
            return str(mark)
        if isinstance(mark, Instant):
            return "epoch seconds or an ISO 8601 time"
    if origin in (typing.Union, types.UnionType):
        (inner,) = [arg for arg in args if arg is not type(None)]
        return describe(Annotated[inner, *marks] if marks else inner)
    if origin is Literal:
        return "one of " + ", ".join(str(arg) for arg in args)
    if origin is tuple:
        if any(isinstance(mark, TableOf) for mark in marks):
            return f"a table of name = {describe(typing.get_args(args[0])[1])}"
        if args[-1] is Ellipsis:
            return f"an array of {describe(args[0])}"
        return "[" + ", ".join(describe(arg) for arg in args) + "]"
    names = {
        int: "an integer",
        float: "a number",
        str: "text",
        bool: "true or false",
        object: "a value",
    }
    return names.get(base, "a table") + limits


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def encode(value: object) -> Any:
    """The TOML form of a decoded value; fields at their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        table: dict[str, Any] = {}
        if isinstance(value, Family):
            table[value.tag] = value.tag_value()
        for spec in fields_of(type(value)):
            held = getattr(value, spec.attribute)
            if held is None or (spec.default is not _MISSING and held == spec.default):
                continue
            table[spec.key] = _encode_field(spec.type, held)
        return table
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def _encode_field(hint: Any, held: object) -> Any:
    marks = _marks(hint)
    if any(isinstance(mark, TableOf) for mark in marks):
        pairs = typing.cast("tuple[tuple[str, object], ...]", held)
        return {key: encode(item) for key, item in pairs}
    if any(isinstance(mark, Instant) for mark in marks):
        moment = dt.datetime.fromtimestamp(typing.cast("int", held), dt.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return encode(held)


def write_toml(table: Mapping[str, Any]) -> str:
    """TOML text of a table of plain values, arrays and tables; floats keep every digit."""
    return "\n".join(_write_table(table, "")).strip() + "\n"


def _write_table(table: Mapping[str, Any], prefix: str) -> Iterator[str]:
    later = []
    for key, value in table.items():
        if isinstance(value, Mapping) or _is_table_array(value):
            later.append((key, value))
        else:
            yield f"{_key(key)} = {inline_value(value)}"
    for key, value in later:
        name = f"{prefix}{_key(key)}"
        for item in [value] if isinstance(value, Mapping) else value:
            yield ""
            yield f"[{name}]" if isinstance(value, Mapping) else f"[[{name}]]"
            yield from _write_table(item, f"{name}.")


def _is_table_array(value: object) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(item, Mapping) for item in value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else inline_value(key)


def inline_value(value: object) -> str:
    """A value in one line of TOML, tables included, as ``--set path=value`` takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        escaped = "".join(_escape(character) for character in value)
        return f'"{escaped}"'
    if isinstance(value, list):
        return "[" + ", ".join(inline_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {inline_value(v)}" for k, v in value.items()) + "}"
    raise TypeError(f"no TOML form for {type(value).__name__}")


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if ord(character) < 0x20 or ord(character) == 0x7F:
        return f"\\u{ord(character):04x}"
    return character
