"""Rows of CSV and JSON files with their line numbers; gzip by content. Bad files are named."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import ScenarioError

__all__ = ["Record", "read_records"]

Record = tuple[int, Mapping[str, Any]]
"""Line number (of a JSON list: the element, from 1) and cells by column name."""


def read_records(file: Path) -> list[Record]:
    """The rows below the header, or the objects of a JSON list. Column names are stripped.

    Raises:
        ScenarioError: a file that cannot be read, is not UTF-8, gzip or the format it claims, or
            holds no rows; a row with another number of columns than the header.
    """
    text = _read_text(file)
    suffixes = [suffix.lower() for suffix in file.suffixes]
    records = _json_records(file, text) if ".json" in suffixes else _csv_records(file, text)
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
                continue
            if len(cells) != len(header):
                where = f"{file}:{reader.line_num}"
                raise ScenarioError(where, f"{len(cells)} columns", f"{len(header)} as the header")
            records.append((reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise ScenarioError(f"{file}:{reader.line_num}", str(error), "well-formed CSV") from error
    return records


def _json_records(file: Path, text: str) -> list[Record]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(str(file), str(error), "valid JSON") from error
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise ScenarioError(str(file), type(content).__name__, "a list of objects")
    keys = set(content[0]) if content else set()
    for i, item in enumerate(content, start=1):
        if set(item) != keys:
            raise ScenarioError(f"{file}:{i}", sorted(item), f"the keys {sorted(keys)}")
    return list(enumerate(content, start=1))
