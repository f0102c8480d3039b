"""The table of behaviours in `docs/behaviours.md`, and the tests that carry their numbers.

A test carries a number by its docstring ("Number 8", "Numbers 57, 59", "Sync 9") or, in the
packages of the two ends of the protocol, by its name (`test_22_...`, `test_behaviour_4_...`); a
docstring of a module counts for all of it. A check of the conformance suite carries the number that
it is registered under.

`python -m tests.behaviours` enters what it finds into the table, and keeps what was entered by hand
as long as it exists.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from tests.source_tree import ROOT, Module, product_modules, test_modules

DOCUMENT: Final = ROOT / "docs" / "behaviours.md"
CONFORMANCE: Final = "conformance"
SECTIONS: Final = {"Number": 86, "Sync": 36}
NONE_YET: Final = "–"

_ROW: Final = re.compile(r"^\| (\d+) \| (.+?) \| (\w+) \| (\S*) ?\| (.*) \|$")
_NAMED: Final = re.compile(r"^test_(?:behaviour_)?(\d+)(?:_and_(\d+))?_")
_SAID: Final = re.compile(r"\b(Number|Sync)s? (\d+(?:(?:,| and) \d+)*)", re.IGNORECASE)
_CHECK: Final = re.compile(r"\.check\(\s*((?:\"[^\"]+\",\s*)+)title=")

Key = tuple[str, int]  # a section and a number in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    key: Key
    what: str
    decision: str  # kept, changed, deferred
    line: str  # why it is not kept as it is, or empty
    tests: tuple[str, ...]  # `path::name`, `path`, or CONFORMANCE

    def __str__(self) -> str:
        tests = ", ".join(f"`{test}`" for test in self.tests) or NONE_YET
        line = f"{self.line} " if self.line else ""
        return f"| {self.key[1]} | {self.what} | {self.decision} | {line}| {tests} |"


def rows(text: str) -> list[Row]:
    """Of both tables, in the order of the document."""
    found: list[Row] = []
    section = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = next((name for name in SECTIONS if f"({name} " in line), "")
        if section and (match := _ROW.match(line)):
            number, what, decision, reason, tests = match.groups()
            found.append(
                Row(
                    key=(section, int(number)),
                    what=what,
                    decision=decision,
                    line=reason,
                    tests=tuple(re.findall(r"`([^`]+)`", tests)),
                )
            )
    return found


def reasons(text: str, heading: str) -> list[str]:
    """The names that the list under a heading defines."""
    part = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^- \*\*([\w-]+)\*\*", part, re.MULTILINE)


@cache
def carried() -> dict[Key, tuple[str, ...]]:
    """By number: what carries it."""
    found: dict[Key, list[str]] = {}
    for module in test_modules():
        for key, test in _of_module(module):
            found.setdefault(key, []).append(test)
    for module in product_modules():
        if module.path.parts[0] == "proof" and "checks" in module.path.parts:
            for numbers in _CHECK.findall(module.text):
                for number in re.findall(r"\"(\d+)\"", numbers):
                    found.setdefault(("Number", int(number)), []).append(CONFORMANCE)
    return {key: tuple(dict.fromkeys(tests)) for key, tests in found.items()}


def _of_module(module: Module) -> Iterator[tuple[Key, str]]:
    if module.path.name == "test_behaviours.py":
        return
    path = module.path.relative_to("tests").as_posix()
    for key in _said(ast.get_docstring(module.tree)):
        if module.name.startswith("test_"):
            yield key, path
    for function in module.functions():
        if not function.name.startswith("test_"):
            continue
        keys = _said(ast.get_docstring(function))
        if module.path.parts[1] in {"protocol", "replica"}:
            named = _NAMED.match(function.name)
            keys += [("Number", int(each)) for each in (named.groups() if named else ()) if each]
        for key in keys:
            yield key, f"{path}::{function.name}"


def _said(docstring: str | None) -> list[Key]:
    return [
        (section.capitalize(), int(number))
        for section, numbers in _SAID.findall(docstring or "")
        for number in re.findall(r"\d+", numbers)
    ]


@cache
def names() -> frozenset[str]:
    """Every test there is, and every file of tests."""
    found = {CONFORMANCE}
    for module in test_modules():
        path = module.path.relative_to("tests").as_posix()
        found.add(path)
        found.update(
            f"{path}::{function.name}"
            for function in module.functions()
            if function.name.startswith("test_")
        )
    return frozenset(found)


def entered(text: str) -> str:
    """The document with what carries each number in its row."""
    by_key = {row.key: row for row in rows(text)}
    for key, row in by_key.items():
        kept = [test for test in row.tests if test in names() and test != CONFORMANCE]
        tests = tuple(dict.fromkeys([*kept, *carried().get(key, ())]))
        text = _replaced(text, row, replace(row, tests=tests))
    return text


def _replaced(text: str, row: Row, by: Row) -> str:
    heading = next(
        line for line in text.splitlines() if line.startswith("## ") and f"({row.key[0]} " in line
    )
    before, part = text.split(heading, 1)
    pattern = re.compile(rf"^\| {row.key[1]} \| .*$", re.MULTILINE)
    return before + heading + pattern.sub(lambda _: str(by), part, count=1)


if __name__ == "__main__":
    path = Path(DOCUMENT)
    path.write_text(entered(path.read_text("utf-8")), "utf-8")
