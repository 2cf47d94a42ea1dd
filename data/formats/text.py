"""Text files line by line with line numbers, CSV rows with their header checked, JSON, and what messages quote."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.examples import DataProblems, DatasetError

QUOTED = 80  # characters of a value in a message


def read_lines(path: Path, problems: DataProblems) -> Iterator[tuple[str, str]]:
    """Yield (`FILE:LINE`, text) of every line that is not blank; a line that is not UTF-8 is a bad row."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    # Spreadsheets put a byte order mark in front.
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        where = f"{path}:{number}"
        try:
            text = line.decode("utf-8").strip("\r\n")
        except UnicodeDecodeError:
            problems.add("bad row", where, "the line is not UTF-8 text", "save the file as UTF-8")
            continue
        if text.strip():
            yield where, text


def read_rows(path: Path, header: tuple[str, ...], problems: DataProblems) -> Iterator[tuple[str, list[str]]]:
    """Yield (`FILE:LINE`, fields) of a CSV file below its header; a row is one line.

    A file with another header is reported once and nothing of it is read: its columns could mean anything.
    """
    expected = ",".join(header)
    lines = read_lines(path, problems)
    where, first = next(lines, (f"{path}:1", ""))
    if [name.strip().lower() for name in first.split(",")] != list(header):
        problems.add(
            "wrong header",
            where,
            f"the header is {shortened(first)}, not {expected!r}",
            f"make {expected!r} the first line",
        )
        return
    for where, line in lines:
        try:
            fields = next(csv.reader([line], strict=True))
        except csv.Error as error:
            problems.add("bad row", where, f"the row is not CSV ({error})", "close its quotes on the same line")
            continue
        if len(fields) != len(header):
            problems.add(
                "bad row",
                where,
                f"the row has {len(fields)} fields where {len(header)} ({expected}) belong",
                "put a text with commas in double quotes",
            )
            continue
        yield where, fields


def tidy(text: str) -> str:
    """The text with every run of white space as one blank, none at the ends; what is not Unicode becomes `?`."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


def shortened(value: object) -> str:
    """The value as a message quotes it, on one line and not too long."""
    shown = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return shown if len(shown) <= QUOTED else f"{shown[:QUOTED]}..."


class NotJson(ValueError):
    """`line`, from 1, and `reason`: why a text is not JSON."""

    def __init__(self, line: int, reason: str):
        super().__init__(f"{reason} at line {line}")
        self.line, self.reason = line, reason


def parse_json(text: str) -> Any:
    """Raises NotJson, also for numbers and nesting that Python does not read."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise NotJson(error.lineno, f"{error.msg} at column {error.colno}") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise NotJson(1, "a number has too many digits") from None
    except RecursionError:
        raise NotJson(1, "it is nested too deeply") from None
