"""Runs the command that follows within this process, on a store that SQLite gives no page more
while a file is there.

    python -m tests.end_to_end.bounded_store FILE python -m antiphon.cli ...
"""

from __future__ import annotations

import runpy
import sqlite3
import sys
from functools import partial
from pathlib import Path
from typing import Any

FULL = Path(sys.argv[1])
PAGES_MAX = 1 << 30


class Connection(sqlite3.Connection):
    """Looks for the file whenever it begins to write."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            pages = 1 if FULL.exists() else PAGES_MAX  # never fewer than there are
            super().execute(f"PRAGMA max_page_count = {pages}")
        return super().execute(sql, *parameters)


if __name__ == "__main__":
    # The product opens its database by this name; no setting of it should exist for a test.
    sqlite3.connect = partial(sqlite3.connect, factory=Connection)  # type: ignore[assignment]
    _, _, _, module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
