"""Random queries that read the query around them everywhere: LATERAL, and subqueries of any shape.

Seeded: one number, one query. What is inside mentions what is around in conditions, values, groups,
windows, limits and set operations; every order is total, so that there is one answer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.controller.sql.random_queries import COMPARISONS, TABLES, Column, Writer


def random_lateral(seed: int) -> tuple[str, str]:
    """A query, and the same without ROLLUP, on which DuckDB breaks down where it is correlated."""
    writer = _LateralWriter(random.Random(seed))
    text = plain = writer.whole()
    for with_rollup, without in writer.spelled_out:
        plain = plain.replace(with_rollup, without)
    return text, plain


@dataclass
class _LateralWriter(Writer):
    depth: int = 0
    spelled_out: list[tuple[str, str]] = field(default_factory=list)

    def whole(self) -> str:
        source, columns = self.relation(0)
        for _ in range(self.random.choice([1, 1, 2])):
            inner, names = self.dependent(columns, 2)
            alias = self.alias()
            found = [(f"{alias}.{name}", kind) for name, kind in names]
            joins = ["cross join lateral", "left join lateral", "join lateral", ","]
            join = self.random.choice(joins)
            if join == ",":
                # JOIN binds closer than a comma: what is to the left must be one item.
                join = "cross join lateral"
            source += f" {join} ({inner}) {alias}"
            if join != "cross join lateral":
                on = "true" if self.chance(0.4) else self.test(columns + found, 1)
                source += f" on {on}"
            columns = columns + found
        if self.chance(0.5):
            source += f" where {self.condition(columns)}"
        if self.chance(0.25):
            return self.grouped(source, columns)[0]
        shown = [name for name, _ in found] + [self.value(columns, self.kind(columns), 1)]
        values = [f"{value} as c{i}" for i, value in enumerate(shown)]
        return f"select {', '.join(values)} from {source}"

    def condition(self, columns: list[Column]) -> str:
        """A test, or one by a subquery of any shape."""
        if self.chance(0.4):
            return self.test(columns, 1)
        inner, names = self.dependent(columns, 1)
        first, kind = names[0]
        maybe_not = self.random.choice(["", "not "])
        alias = self.alias()
        some, member = self.column(columns, "i"), self.column(columns, kind)
        counted = f"(select count(*) from ({inner}) {alias})"
        return self.random.choice(
            [
                f"{maybe_not}exists ({inner})",
                f"{member} {maybe_not}in (select {first} from ({inner}) {alias})",
                f"{some} {self.random.choice(COMPARISONS)} {counted}",
                f"({self.test(columns, 0)} or {maybe_not}exists ({inner}))",
            ]
        )

    def dependent(self, outer: list[Column], depth: int) -> tuple[str, list[Column]]:
        """A query that reads `outer`, and what its columns are called."""
        shapes = [self.plain, self.first, self.counted, self.ranked, self.rolled, self.listed]
        if depth > 1:
            shapes += [self.either, self.wrapped]
        return self.random.choice(shapes)(outer)

    def inside(self, outer: list[Column]) -> tuple[str, list[Column]]:
        """FROM and WHERE, tied to `outer` there."""
        table, alias = self.random.choice(["u", "t", "empty", "v"]), self.alias()
        columns = [(f"{alias}.{name}", kind) for name, kind in TABLES[table]]
        source = f"{table} {alias}"
        if self.chance(0.3):
            other, more = self.random.choice(["u", "t", "v"]), self.alias()
            right = [(f"{more}.{name}", kind) for name, kind in TABLES[other]]
            join = self.random.choice(["join", "left join"])
            on = f"{self.column(columns, 'i')} = {self.column(right, 'i')}"
            if self.chance(0.5):
                on += f" and {self.column(right, 'i')} >= {self.column(outer, 'i')}"
            source += f" {join} {other} {more} on {on}"
            columns += right
        tie = self.random.choice(["=", "=", "=", *COMPARISONS, "is not distinct from"])
        where = f"{self.column(columns, 'i')} {tie} {self.column(outer, 'i')}"
        if self.chance(0.3):
            where += f" and {self.test(columns + outer, 1)}"
        if self.depth < 2 and self.chance(0.3):
            self.depth += 1
            where += f" and {self.condition(columns + outer)}"
            self.depth -= 1
        return f"{source} where {where}", columns

    def plain(self, outer: list[Column]) -> tuple[str, list[Column]]:
        source, columns = self.inside(outer)
        distinct = "distinct " if self.chance(0.4) else ""
        both = columns + outer
        return (
            f"select {distinct}{self.value(both, 'i', 1)} as p, {self.column(columns, 'i')} as q"
            f" from {source}",
            [("p", "i"), ("q", "i")],
        )

    def first(self, outer: list[Column]) -> tuple[str, list[Column]]:
        source, columns = self.inside(outer)
        p, q = self.column(columns, "i"), self.column(columns, "i")
        down = self.random.choice(["", " desc", " desc nulls last"])
        offset = self.random.choice(["", "", " offset 1"])
        text = f"select {p} as p, {q} as q from {source} order by 1{down}, 2 limit "
        return f"{text}{self.random.randrange(1, 4)}{offset}", [("p", "i"), ("q", "i")]

    def counted(self, outer: list[Column]) -> tuple[str, list[Column]]:
        source, columns = self.inside(outer)
        call = self.random.choice(["sum", "min", "max", "count"])
        text = f"select count(*) as p, {call}({self.value(columns, 'i', 1)}) as q from {source}"
        if self.chance(0.5):
            text += f" group by {self.column(columns, 'i')}"
        if self.chance(0.3):
            text += f" having count(*) >= {self.column(outer, 'i')}"
        return text, [("p", "i"), ("q", "i")]

    def ranked(self, outer: list[Column]) -> tuple[str, list[Column]]:
        source, columns = self.inside(outer)
        p = self.column(columns, "i")
        window = f"(partition by {self.column(columns, 'i')} order by {p})"
        call = self.random.choice([f"rank() over {window}", f"count({p}) over {window}"])
        return f"select {p} as p, {call} as q from {source}", [("p", "i"), ("q", "i")]

    def rolled(self, outer: list[Column]) -> tuple[str, list[Column]]:
        source, columns = self.inside(outer)
        key = self.column(columns, "i")
        grouped = f"select {key} as p, count(*) as q from {source} group by"
        text = f"{grouped} rollup ({key})"
        of_all = f"select null as p, count(*) as q from {source}"
        self.spelled_out.append((text, f"{grouped} {key} union all {of_all}"))
        return text, [("p", "i"), ("q", "i")]

    def listed(self, outer: list[Column]) -> tuple[str, list[Column]]:
        one, two = self.column(outer, "i"), self.column(outer, "i")
        if self.chance(0.5):
            return f"select p from (values ({one}), ({two}), (2)) s(p)", [("p", "i")]
        return f"select p from generate_series({one}, {two}) s(p)", [("p", "i")]

    def either(self, outer: list[Column]) -> tuple[str, list[Column]]:
        operator = self.random.choice(["union", "union all", "except", "intersect", "except all"])
        left, right = self.plain(outer)[0], self.plain(outer)[0]
        return f"{left} {operator} {right}", [("p", "i"), ("q", "i")]

    def wrapped(self, outer: list[Column]) -> tuple[str, list[Column]]:
        inner, names = self.dependent(outer, 1)
        alias = self.alias()
        columns = [(f"{alias}.{name}", kind) for name, kind in names]
        text = f"select {alias}.p as p from ({inner}) {alias}"
        return f"{text} where {self.condition(columns + outer)}", [("p", "i")]
