"""Queries in PostgreSQL's words, each beside the same in DuckDB's."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def pairs_of(name: str) -> list[tuple[str, str]]:
    """(ours, DuckDB's) of a file: a line of dashes between the two, and an empty one behind."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    found = []
    for block in text.strip().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith(("-- ", "--- "))]
        ours, _, theirs = "\n".join(lines).partition("\n----\n")
        assert theirs, f"nothing to ask DuckDB: {block}"
        found.append((ours, theirs))
    return found
