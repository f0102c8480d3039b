"""Random queries over the tables of `flights`: joins, subqueries, groups, set operations.

Seeded: one number, one query. Columns are pairs (name as written, 'i' for integers, 's' for text).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

Column = tuple[str, str]
TABLES: dict[str, list[Column]] = {
    "t": [("a", "i"), ("b", "i"), ("c", "s")],
    "u": [("a", "i"), ("b", "i"), ("d", "s")],
    "empty": [("a", "i"), ("b", "i")],
    "v": [("a", "i"), ("n", "i")],
    "m": [("a", "i"), ("n", "i")],
}
COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]


def random_query(seed: int) -> str:
    return Writer(random.Random(seed)).query(2)[0]


@dataclass
class Writer:
    random: random.Random
    aliases: int = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def alias(self) -> str:
        self.aliases += 1
        return f"x{self.aliases}"

    def literal(self, kind: str) -> str:
        if kind == "i":
            return str(self.random.randrange(6))
        return self.random.choice(["'x'", "'y'", "'w'", "'zz'", "''"])

    def column(self, columns: list[Column], kind: str) -> str:
        found = [name for name, of in columns if of == kind]
        return self.random.choice(found) if found else self.literal(kind)

    def kind(self, *sides: list[Column]) -> str:
        """A kind of which every side has a column, mostly integers."""
        has_text = all(any(kind == "s" for _, kind in side) for side in sides)
        return "s" if has_text and self.chance(0.3) else "i"

    def value(self, columns: list[Column], kind: str, depth: int) -> str:
        if depth == 0 or self.chance(0.5):
            return self.column(columns, kind)
        inner = [self.value(columns, kind, depth - 1) for _ in range(2)]
        if kind == "s":
            return self.random.choice([f"coalesce({inner[0]}, 'q')", f"({inner[0]} || 'k')"])
        return self.random.choice(
            [
                f"({inner[0]} + {inner[1]})",
                f"({inner[0]} * {self.literal('i')})",
                f"coalesce({inner[0]}, {self.literal('i')})",
                f"nullif({inner[0]}, {self.literal('i')})",
                f"case when {self.test(columns, 0)} then {inner[0]} else {inner[1]} end",
                self.literal("i"),
            ]
        )

    def test(self, columns: list[Column], depth: int, *, subqueries: bool = False) -> str:
        """A condition."""
        maybe_not = self.random.choice(["", "not "])
        if depth and self.chance(0.4):
            parts = [self.test(columns, depth - 1, subqueries=subqueries) for _ in range(2)]
            shapes = [f"({parts[0]} and {parts[1]})", f"({parts[0]} or {parts[1]})"]
            return self.random.choice([*shapes, f"not ({parts[0]})"])
        if subqueries and self.chance(0.35):
            return self.subquery(columns)
        kind = self.kind(columns)
        left, right = (self.value(columns, kind, min(depth, 1)) for _ in range(2))
        return self.random.choice(
            [
                f"{left} {self.random.choice(COMPARISONS)} {right}",
                f"{left} is {maybe_not}null",
                f"{left} {maybe_not}in ({self.literal(kind)}, {self.literal(kind)})",
                f"{left} is {maybe_not}distinct from {right}",
                f"{left} between {self.literal(kind)} and {right}",
            ]
        )

    def subquery(self, columns: list[Column]) -> str:
        """EXISTS, IN or a comparison with an aggregate, correlated or not."""
        table, alias = self.random.choice(["u", "t", "empty", "v"]), self.alias()
        inner = [(f"{alias}.{name}", kind) for name, kind in TABLES[table]]
        source = f"from {table} {alias}"
        if self.chance(0.5):
            tie = self.random.choice(["=", "=", "=", *COMPARISONS])
            source += f" where {self.column(inner, 'i')} {tie} {self.column(columns, 'i')}"
            if self.chance(0.3):
                source += f" and {self.test(inner, 0)}"
        elif self.chance(0.5):
            source += f" where {self.test(inner, 1)}"
        maybe_not = self.random.choice(["", "not "])
        read, outer = self.column(inner, "i"), self.value(columns, "i", 1)
        aggregate = self.random.choice(["max", "min", "sum", "count"])
        comparison = self.random.choice(COMPARISONS)
        some = self.random.choice(["any", "all"])
        return self.random.choice(
            [
                f"{maybe_not}exists (select 1 {source})",
                f"{outer} {maybe_not}in (select {read} {source})",
                f"{outer} {comparison} (select {aggregate}({read}) {source})",
                f"{outer} {comparison} {some} (select {read} {source})",
            ]
        )

    def relation(self, depth: int) -> tuple[str, list[Column]]:
        alias = self.alias()
        if depth > 0 and self.chance(0.25):
            text, columns = self.query(depth - 1)
            text = f"({text}) {alias}"
        else:
            table = self.random.choice(["t", "u", "t", "u", "empty", "v", "m"])
            text, columns = f"{table} {alias}", TABLES[table]
        return text, [(f"{alias}.{name}", kind) for name, kind in columns]

    def source(self, depth: int) -> tuple[str, list[Column]]:
        text, columns = self.relation(depth)
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            right, more = self.relation(depth - 1)
            join = self.random.choice(["join", "left join", "right join", "full join", "cross"])
            if join == "cross":
                text += f" cross join {right}"
            else:
                kind = self.kind(columns, more)
                # Most are joined on equality; some on a range, or on an inequality.
                compared = "=" if self.chance(0.75) else self.random.choice(COMPARISONS)
                on = f"{self.column(columns, kind)} {compared} {self.column(more, kind)}"
                if self.chance(0.35):
                    on += f" and {self.test(columns + more, 1)}"
                text += f" {join} {right} on {on}"
            columns = columns + more
        return text, columns

    def query(self, depth: int) -> tuple[str, list[Column]]:
        source, columns = self.source(depth)
        if self.chance(0.6):
            source += f" where {self.test(columns, 2, subqueries=True)}"
        if self.chance(0.4):
            return self.grouped(source, columns)
        kinds = [self.kind(columns) for _ in range(self.random.randrange(1, 4))]
        values = [f"{self.value(columns, k, 1)} as c{i}" for i, k in enumerate(kinds)]
        distinct = "distinct " if self.chance(0.2) else ""
        text = f"select {distinct}{', '.join(values)} from {source}"
        if depth > 0 and self.chance(0.15):
            operator = self.random.choice(["union", "except", "intersect"])
            every = self.random.choice(["", " all"])
            other, found = self.query(0)
            if [kind for _, kind in found] == kinds:
                text += f" {operator}{every} {other}"
        return text, [(f"c{i}", kind) for i, kind in enumerate(kinds)]

    def grouped(self, source: str, columns: list[Column]) -> tuple[str, list[Column]]:
        drawn = [self.value(columns, "i", 1) for _ in range(self.random.randrange(3))]
        keys = list(dict.fromkeys(key for key in drawn if "x" in key))
        aggregates: list[str] = []
        for _ in range(self.random.randrange(1, 3)):
            name = self.random.choice(["count", "sum", "min", "max", "avg"])
            distinct = "distinct " if name in ("count", "sum") and self.chance(0.3) else ""
            call = f"{name}({distinct}{self.value(columns, 'i', 1)})"
            if self.chance(0.2):
                call += f" filter (where {self.test(columns, 1)})"
            aggregates.append(call if self.chance(0.8) else "count(*)")
        outputs = [f"{key} as k{i}" for i, key in enumerate(keys)]
        outputs += [f"{call} as g{i}" for i, call in enumerate(aggregates)]
        text = f"select {', '.join(outputs)} from {source}"
        if keys:
            text += f" group by {', '.join(keys)}"
        if self.chance(0.3):
            text += f" having {aggregates[0]} > {self.random.randrange(4)}"
        names = [f"k{i}" for i in range(len(keys))] + [f"g{i}" for i in range(len(aggregates))]
        return text, [(name, "i") for name in names]
