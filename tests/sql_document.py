"""Write `docs/sql.md` from the tests: what is supported by its examples, what is refused by what
is recorded.

`python -m tests.sql_document` writes it; `tests/test_documents.py` checks that it is current.
`tests/controller/sql/test_examples.py` holds every example to DuckDB's answer, and keeps it up to
date as a view.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from antiphon.controller.sql.scalars.function_names import BUILDERS
from antiphon.protocol.schema import SQL_NAMES
from tests.source_tree import ROOT

DOCUMENT: Final = ROOT / "docs" / "sql.md"
EXAMPLES: Final = ROOT / "tests" / "controller" / "sql" / "examples.sql"
CHANGES: Final = ROOT / "tests" / "controller" / "sql" / "changes.sql"
SPELLINGS: Final = ROOT / "tests" / "controller" / "sql" / "two_spellings.sql"
RECORDED: Final = ROOT / "tests" / "controller" / "sql" / "recorded"
HEAD: Final = """\
# SQL

What views, indexes, subscribes and reads may say, and how tables are changed. The semantics are
PostgreSQL's; each example here is a test: its answer, or what a change leaves, is compared with
DuckDB's, and each query is kept up to date as a view. What is not supported is refused when it is
created, with the construct and its place.

This file is written by `python -m tests.sql_document`.
"""
_REFUSAL: Final = re.compile(r"^UnsupportedSql: (?:line \d+:\d+: )?(.*)$")


@dataclass(frozen=True, slots=True)
class Example:
    section: str
    note: str  # what it shows; empty: as the one before
    sql: str


def examples(path: Path = EXAMPLES) -> list[Example]:
    """All of a file: sections by `## `, notes by `-- `, a statement up to its semicolon."""
    found: list[Example] = []
    section, notes, lines = "", list[str](), list[str]()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("-- "):
            notes.append(line.removeprefix("-- "))
        elif line.strip():
            lines.append(line)
        if line.endswith(";"):
            found.append(Example(section, " ".join(notes), "\n".join(lines)))
            notes, lines = [], []
    assert lines == notes == [], f"the last example has no end: {lines or notes}"
    return found


def spelled() -> list[Example]:
    """What is compared with DuckDB in other words: our part of it, with its notes."""
    found: list[Example] = []
    for block in SPELLINGS.read_text(encoding="utf-8").strip().split("\n\n"):
        lines = block.partition("\n----\n")[0].splitlines()
        notes = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
        query = "\n".join(line for line in lines if not line.startswith(("-- ", "--- ")))
        found.append(Example("In PostgreSQL's words alone", " ".join(notes), f"{query};"))
    return found


def refusals() -> list[tuple[str, str]]:
    """(statement, message) of recorded refusals, one of each message; not of misspelt words."""
    found: dict[str, str] = {}
    for path in sorted(RECORDED.glob("*.txt")):
        for block in path.read_text(encoding="utf-8").split("\n\n"):
            sql, _, answer = block.partition("\n----\n")
            refused = _REFUSAL.fullmatch(answer.strip())
            if refused is None or "did you mean" in answer:
                continue
            written = [line for line in sql.splitlines() if not line.startswith("#")]
            found.setdefault(refused.group(1), " ".join(written).strip())
    return sorted((statement, message) for message, statement in found.items())


def document() -> str:
    parts = [HEAD]
    section = ""
    listed: list[str] = []
    for example in (*examples(), *spelled(), *examples(CHANGES)):
        if example.section != section or example.note:
            parts += _block(listed)
            listed = []
        if example.section != section:
            section = example.section
            parts.append(f"## {section}\n")
        if example.note:
            parts.append(f"{example.note}\n")
        listed.append(example.sql)
    parts += _block(listed)
    parts += [
        _names("Functions", sorted(BUILDERS)),
        _names("Types", sorted(_types())),
    ]
    parts.append(
        "## What is refused\n\nBy example, with the message. Nothing is ignored: a clause that is "
        "not understood is refused as well.\n\n| statement | answer |\n|---|---|"
    )
    rows = [f"| {_code(statement)} | {_cell(message)} |" for statement, message in refusals()]
    return "\n".join([*parts, *rows]) + "\n"


def _block(statements: list[str]) -> list[str]:
    return ["```sql\n" + "\n".join(statements) + "\n```\n"] if statements else []


def _names(title: str, names: list[str]) -> str:
    return f"## {title}\n\n" + ", ".join(f"`{name}`" for name in names) + "\n"


def _types() -> list[str]:
    return [*SQL_NAMES.values(), "numeric(p, s)", "varchar(n)", "T[]", "struct(name T, ...)"]


def _code(text: str) -> str:
    marks = "``" if "`" in text else "`"
    return f"{marks}{_cell(text)}{marks}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> int:
    DOCUMENT.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
