"""Random changes of a table with a key, and of one without: each as we and DuckDB both say it."""

from __future__ import annotations

import random
from dataclasses import dataclass

TABLES = """
CREATE TABLE k (id int PRIMARY KEY, a int DEFAULT 7, b text DEFAULT 'd');
CREATE TABLE t (a int, b text);
CREATE TABLE u (a int, b text);
"""
ALL = {"k": "id, a, b", "t": "a, b", "u": "a, b"}


@dataclass
class ChangeWriter:
    """Statements over `TABLES`; what each makes of them is one answer."""

    random: random.Random

    def statement(self) -> str:
        shapes = [
            self.inserted, self.merged, self.merged, self.ignored, self.updated, self.updated,
            self.deleted, self.several,
        ]  # fmt: skip
        return self.random.choice(shapes)()

    def number(self) -> str:
        return self.random.choice(["NULL", *map(str, range(5))])

    def text(self) -> str:
        return self.random.choice(["NULL", "'x'", "'y'", "''"])

    def default(self, other: str) -> str:
        return "DEFAULT" if self.random.random() < 0.25 else other

    def rows(self, count: int) -> str:
        """Rows for `k`, of different keys."""
        keys = self.random.sample(range(8), count)
        values = [
            f"({key}, {self.default(self.number())}, {self.default(self.text())})" for key in keys
        ]
        return f"VALUES {', '.join(values)}"

    def source(self) -> str:
        """What is inserted into `k`: values, or a query with one row of each key."""
        if self.random.random() < 0.6:
            return self.rows(self.random.randrange(1, 4))
        name = self.random.choice(["t", "u"])
        return (
            f"SELECT a + {self.random.randrange(4)}, count(*)::int, max(b) FROM {name} "
            "WHERE a IS NOT NULL GROUP BY a"
        )

    def inserted(self) -> str:
        name = self.random.choice(["t", "u"])
        if self.random.random() < 0.3:
            return f"INSERT INTO {name} (b) SELECT b FROM k WHERE a > {self.random.randrange(4)}"
        values = [f"({self.number()}, {self.text()})" for _ in range(3)]
        return f"INSERT INTO {name} VALUES {', '.join(values)}"

    def merged(self) -> str:
        changes = [
            "a = excluded.a", "a = k.a + 1", "b = excluded.b || '-'", "b = coalesce(k.b, 'new')",
            "a = excluded.a + 1, b = k.b",
        ]  # fmt: skip
        where = self.random.choice(
            ["", "", " WHERE k.a > 1", " WHERE k.b IS DISTINCT FROM excluded.b"]
        )
        change = self.random.choice(changes)
        return f"INSERT INTO k {self.source()} ON CONFLICT (id) DO UPDATE SET {change}{where}"

    def ignored(self) -> str:
        key = self.random.choice(["", " (id)"])
        return f"INSERT INTO k {self.source()} ON CONFLICT{key} DO NOTHING"

    def updated(self) -> str:
        name = self.random.choice(["k", "t"])
        other = self.random.choice(["u", "t" if name == "k" else "k"])
        change = self.random.choice(["a = s.m", "b = s.b || 'u', a = s.a", "b = s.b"])
        # One row for each: DuckDB and we may choose another one of several.
        groups = f"(SELECT a, max(b) AS b, count(*)::int AS m FROM {other} GROUP BY a) s"
        where = self.random.choice([f"{name}.a = s.a", f"s.a = {name}.a AND s.m > 1"])
        if self.random.random() < 0.3:
            change = change.replace("s.b", "w.b").replace("s.a", "w.a").replace("s.m", "w.a")
            groups += " JOIN (SELECT a, min(b) AS b FROM u GROUP BY a) w ON w.a = s.m"
        return f"UPDATE {name} SET {change} FROM {groups} WHERE {where}"

    def deleted(self) -> str:
        name = self.random.choice(["k", "t", "u"])
        other = self.random.choice([table for table in ALL if table != name])
        where = self.random.choice(
            [f"{name}.a = {other}.a", f"{name}.a < {other}.a AND {other}.b = {name}.b"]
        )
        return f"DELETE FROM {name} USING {other} WHERE {where} AND {other}.a <> 2"

    def several(self) -> str:
        return f"UPDATE t SET a = {self.number()}, b = 'z' WHERE a = {self.random.randrange(5)}"
