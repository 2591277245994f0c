"""Rows of CSV and JSON files with their line numbers; gzip by content. Bad files are named."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import ScenarioError

__all__ = ["Record", "read_records"]

Record = tuple[int, Mapping[str, Any]]
"""Line number (of a JSON list: the element, from 1) and cells by column name."""


def read_records(file: Path, path: str = "") -> list[Record]:
    """The rows below the header, or the objects of a JSON list. Column names are stripped.

    Objects within objects of a JSON list are columns too, named ``outer.inner``. Its fractional
    numbers come as the text they were written as, so that no digit is lost.

    Args:
        file: CSV, or JSON if its name says so; perhaps gzipped.
        path: where in a JSON document the list is: keys joined by dots.

    Raises:
        ScenarioError: a file that cannot be read, is not UTF-8, gzip or the format it claims, or
            holds no rows; a column named twice; a row with another number of columns than the
            header; a path that leads nowhere.
    """
    text = _read_text(file)
    if ".json" in [suffix.lower() for suffix in file.suffixes]:
        records = _json_records(file, text, path)
    elif path:
        raise ScenarioError(str(file), path, "a .json file, for records by path")
    else:
        records = _csv_records(file, text)
    if not records:
        raise ScenarioError(str(file), "no rows", "a header and at least one row")
    return records


def _read_text(file: Path) -> str:
    try:
        content = file.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        allowed = "UTF-8 text, or gzip of it"
        raise ScenarioError(str(file), f"byte {error.start}", allowed) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ScenarioError(str(file), str(error), "a sound gzip file") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ScenarioError("file", str(file), f"a readable file ({reason})") from error


def _csv_records(file: Path, text: str) -> list[Record]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records: list[Record] = []
    header: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                for name, times in Counter(filter(None, header)).items():
                    if times > 1:
                        where = f"{file}:{reader.line_num}"
                        raise ScenarioError(where, name, "each column only once")
                continue
            if len(cells) != len(header):
                where = f"{file}:{reader.line_num}"
                raise ScenarioError(where, f"{len(cells)} columns", f"{len(header)} as the header")
            records.append((reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise ScenarioError(f"{file}:{reader.line_num}", str(error), "well-formed CSV") from error
    return records


def _json_records(file: Path, text: str, path: str) -> list[Record]:
    try:
        content = json.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(str(file), str(error), "valid JSON") from error
    walked = str(file)
    for key in path.split(".") if path else ():
        if not isinstance(content, dict) or key not in content:
            there = ", ".join(content) if isinstance(content, dict) else _json_name(content)
            raise ScenarioError(walked, there, f"an object with {key}, of the path {path}")
        content, walked = content[key], f"{walked}: {key}"
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise ScenarioError(walked, _json_name(content), "a list of objects")
    rows = [dict(_flat(item, "")) for item in content]
    keys = set(rows[0]) if rows else set()
    for i, row in enumerate(rows, start=1):
        if set(row) != keys:
            raise ScenarioError(f"{file}:{i}", sorted(row), f"the keys {sorted(keys)}")
    return list(enumerate(rows, start=1))


def _flat(item: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in item.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _json_name(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")
