"""Random queries with subqueries where most queries have none: in ON of every join, in aggregates
and what groups go by, as arrays; and WITH and outer joins that read the query around them.

Seeded: one number, one query, and the same as DuckDB can answer it: an outer join on a subquery is
spelled out there, as its pairs and the rows that are in none.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.controller.sql.random_queries import COMPARISONS, TABLES, Column, Writer


def random_structure(seed: int) -> tuple[str, str]:
    """A query as we answer it, and as DuckDB does."""
    return _StructureWriter(random.Random(seed)).whole()


@dataclass
class _StructureWriter(Writer):
    def whole(self) -> tuple[str, str]:
        shapes = [self.joined, self.joined, self.joined, self.aggregated, self.keyed, self.listed]
        shapes += [self.common, self.outer_inside, self.outer_inside, self.tied, self.guarded]
        return self.random.choice(shapes)()

    def table(self) -> tuple[str, str, list[Column]]:
        name, alias = self.random.choice(["t", "u", "t", "u", "empty", "v"]), self.alias()
        return name, alias, [(f"{alias}.{column}", kind) for column, kind in TABLES[name]]

    def joined(self) -> tuple[str, str]:
        """A join whose condition holds a subquery over either side, or both, or neither."""
        (left, a, ours), (right, b, theirs) = self.table(), self.table()
        kind = self.random.choice(["join", "left join", "right join", "full join"])
        sides = self.random.choice([ours, theirs, ours + theirs, ours + theirs])
        condition = self.subquery(sides)
        if self.chance(0.3):
            condition = f"({condition} or {self.test(ours + theirs, 0)})"
        if self.chance(0.7):
            condition = f"{self.column(ours, 'i')} = {self.column(theirs, 'i')} and {condition}"
        if self.chance(0.3):
            condition += f" and {self.subquery(sides)}"
        shown = ", ".join(name for name, _ in ours + theirs)
        query = f"select {shown} from {left} {a} {kind} {right} {b} on {condition}"
        numbered = "select *, row_number() over () as rn from"
        pairs = f"select {a}.rn as l, {b}.rn as r, {shown} from ({numbered} {left}) {a}, "
        pairs += f"({numbered} {right}) {b} where {condition}"
        names = [f"c{i}" for i in range(len(ours) + len(theirs))]
        text = f"with m(l, r, {', '.join(names)}) as materialized ({pairs})"
        parts = [f"select {', '.join(names)} from m"]
        nulls = ["null"] * len(ours), ["null"] * len(theirs)
        if kind in ("left join", "full join"):
            own = [name for name, _ in ours]
            parts.append(
                f"select {', '.join([*own, *nulls[1]])} from ({numbered} {left}) {a} "
                f"where {a}.rn not in (select l from m)"
            )
        if kind in ("right join", "full join"):
            own = [name for name, _ in theirs]
            parts.append(
                f"select {', '.join([*nulls[0], *own])} from ({numbered} {right}) {b} "
                f"where {b}.rn not in (select r from m)"
            )
        return query, f"{text} {' union all '.join(parts)}"

    def scalar(self, columns: list[Column]) -> str:
        """A subquery of one value, tied to the columns."""
        _, alias, inner = table = self.table()
        tie = self.random.choice(["=", "=", *COMPARISONS])
        call = self.random.choice(["max", "min", "count"])
        where = f"{self.column(inner, 'i')} {tie} {self.column(columns, 'i')}"
        return f"(select {call}({self.column(inner, 'i')}) from {table[0]} {alias} where {where})"

    def aggregated(self) -> tuple[str, str]:
        """Aggregates of subqueries and under conditions of them, named in FROM for DuckDB."""
        name, alias, columns = self.table()
        key = self.column(columns, "i")
        of_key = self.chance(0.4)  # then it is read above the groups, too
        value = self.scalar([(key, "i")] if of_key else columns)
        condition, above = self.subquery(columns), value if of_key else "3"
        call = self.random.choice(["sum(", "max(", "count(", "count(distinct "])
        ours = f"select {key} as k, {above}, {call}{value}) filter (where {condition}), count(*) "
        ours += f"from {name} {alias} group by {key}"
        inner = f"select {key} as k, {value} as v, {condition} as w from {name} {alias}"
        above = "min(v)" if of_key else "3"
        theirs = f"select k, {above}, {call}v) filter (where w), count(*) from ({inner}) q"
        return ours, f"{theirs} group by k"

    def keyed(self) -> tuple[str, str]:
        """Groups by the value of a subquery, by its text, its name or its place."""
        name, alias, columns = self.table()
        value = self.random.choice([self.scalar(columns), f"coalesce({self.scalar(columns)}, 7)"])
        by = self.random.choice(["1", "k", value])
        again = self.random.choice(["k + 0", "k"]) if by == value else "k"
        shown = value if again == "k" else f"{value} + 0"
        ours = f"select {shown} as k, count(*), sum({self.column(columns, 'i')}) as s"
        inner = f"select {value} as k, {ours.rpartition('sum(')[2].removesuffix(') as s')} as s"
        ours += f" from {name} {alias} group by {by}"
        theirs = f"select {again}, count(*), sum(s) from ({inner} from {name} {alias}) q group by k"
        return ours, theirs

    def listed(self) -> tuple[str, str]:
        """The first rows, groups or distinct values of a subquery as a list."""
        (name, alias, columns), (other, a, inner) = self.table(), self.table()
        tie = self.random.choice(["=", *COMPARISONS])
        source = f"from {other} {a} where {self.column(inner, 'i')} {tie} "
        source += self.column(columns, "i")
        value = self.column(inner, "i")
        down = self.random.choice(["", " desc", " desc nulls last"])
        query = self.random.choice(
            [
                f"select {value} as p {source} order by p{down} limit 2",
                f"select distinct {value} as p {source} order by p{down}",
                f"select count(*) as p {source} group by {value} order by 1{down}",
                f"select {value} as p {source} union select 3 order by p{down}",
            ]
        )
        shown = f"select {self.column(columns, 'i')} as k, "
        text = f"{shown}array({query}) as l from {name} {alias}"
        again = f"(select list(p order by p{down}) from ({query}) q)"
        return text, f"{shown}coalesce({again}, []) as l from {name} {alias}"

    def guarded(self) -> tuple[str, str]:
        """A subquery that fails for rows that do not ask for it; DuckDB computes it for them."""
        (name, alias, columns), (other, a, inner) = self.table(), self.table()
        x, zero = self.column(columns, "i"), str(self.random.randrange(4))
        tie = self.random.choice(["=", *COMPARISONS])
        where = f"{self.column(inner, 'i')} {tie} {self.column(columns, 'i')}"
        value = f"{self.column(inner, 'i')} / ({x} - {zero})"
        shapes = [
            f"(select max({value}) from {other} {a} where {where})",
            f"(select {value} from {other} {a} where {where} order by 1 limit 1)",
        ]
        asked = self.random.choice(shapes)
        test = self.test(columns, 0)
        guarded = self.random.choice(
            [
                f"case when {x} <> {zero} then {asked} end",
                f"case when {x} = {zero} then 1 when {test} then {asked} else {asked} + 1 end",
                f"case when {test} then case when not {x} = {zero} then {asked} end end",
                f"coalesce(case when {x} = {zero} then {zero} end, {asked})",
            ]
        )
        text = f"select {guarded} as v from {name} {alias}"
        if self.chance(0.3):
            text = f"select {x} as k from {name} {alias} where {guarded} <= {self.literal('i')}"
        elif self.chance(0.3):
            text = f"select sum({guarded}) as v from {name} {alias}"
        return text, text.replace(f"({x} - {zero})", f"nullif({x} - {zero}, 0)")

    def tied(self) -> tuple[str, str]:
        """The first rows in an order, and all that are equal to the last of them."""
        (name, alias, columns), (other, a, inner) = self.table(), self.table()
        where = f"{self.column(inner, 'i')} >= {self.column(columns, 'i')}"
        order = self.column(inner, "i") + self.random.choice(["", " desc", " nulls first"])
        value = self.column(inner, "i")
        skipped, count = self.random.choice([0, 0, 1, 2]), self.random.randrange(1, 4)
        if skipped:  # of equal rows any may be skipped: let none of them differ
            value = order.split(" ")[0]
        cut = f"order by {order} offset {skipped} fetch first {count} rows with ties"
        ranked = f"rank() over (order by {order}) as r, row_number() over (order by {order}) as n"
        shown = f"select {self.column(columns, 'i')} as k, s.p from {name} {alias}, lateral"
        ours = f"{shown} (select {value} as p from {other} {a} where {where} {cut}) s"
        inside = f"select {value} as p, {ranked} from {other} {a} where {where}"
        kept = f"r <= {skipped + count} and n > {skipped}"
        return ours, f"{shown} (select p from ({inside}) q where {kept}) s"

    def common(self) -> tuple[str, str]:
        """WITH of what is around, read once or twice, by a query that it defines as well."""
        (name, alias, columns), (other, a, inner) = self.table(), self.table()
        first, second = self.alias(), self.alias()
        tie = self.random.choice(["=", *COMPARISONS])
        where = f"{self.column(inner, 'i')} {tie} {self.column(columns, 'i')}"
        query = f"select {self.column(inner, 'i')} as p from {other} {a} where {where}"
        value = self.random.choice([f"{second}.p", f"count({second}.p)"])
        join = self.random.choice(["join", "left join", "full join"])
        body = f"select {value} as q from {{}} {first} {join} {{}} {second}"
        body += f" on {first}.p = {second}.p"
        ours = f"with w as ({query}) {body.format('w', 'w')}"
        theirs = body.format(f"({query})", f"({query})")
        if self.chance(0.3):
            ours = f"with w as ({query}), y as ({body.format('w', 'w')}) select q from y"
        shown = f"select {self.column(columns, 'i')} as k, s.q from {name} {alias}, lateral "
        return f"{shown}({ours}) s", f"{shown}({theirs}) s"

    def outer_inside(self) -> tuple[str, str]:
        """A right or full join that reads what is around: for DuckDB its parts, for each row."""
        (name, alias, columns), (left, a, ours) = self.table(), self.table()
        right, b, theirs = self.table()
        on = f"{self.column(ours, 'i')} = {self.column(theirs, 'i')}"
        if self.chance(0.2):
            on = f"{self.column(ours, 'i')} < {self.column(theirs, 'i')}"
        on += f" and {self.column(theirs + ours, 'i')} {self.random.choice(COMPARISONS)} "
        on += self.column(columns, "i")
        kind = self.random.choice(["right join", "full join", "left join"])
        p, q = self.column(ours, "i"), self.column(theirs, "i")
        k = self.column(columns, "i")
        shown = f"select {k} as k, s.p, s.q from {name} {alias}, lateral"
        text = f"{shown} (select {p} as p, {q} as q from {left} {a} {kind} {right} {b} on {on}) s"
        parts = [f"select {k}, {p}, {q} from {name} {alias}, {left} {a}, {right} {b} where {on}"]
        if kind != "right join":
            parts.append(
                f"select {k}, {p}, null from {name} {alias}, {left} {a} "
                f"where not exists (select 1 from {right} {b} where {on})"
            )
        if kind != "left join":
            parts.append(
                f"select {k}, null, {q} from {name} {alias}, {right} {b} "
                f"where not exists (select 1 from {left} {a} where {on})"
            )
        return text, " union all ".join(parts)
