"""Random queries over the tables of `hostile_rows`, of every type and construct there is.

Seeded: one number, one query. A column is its name as written and the kind of its type.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

Column = tuple[str, str]
# Kinds: h, i, l are integers of 16, 32, 64 bits; e, f floats; n, w decimals; s text; d date;
# t timestamp; z timestamptz; v interval; b boolean; L a list of integers, F of floats, V of
# intervals; R a struct.
TABLES: dict[str, list[Column]] = {
    "p": [("id", "i"), ("g", "i"), ("h", "h"), ("l", "l"), ("f", "f"), ("n", "n"), ("s", "s")],
    "q": [("g", "i"), ("f", "f"), ("e", "e"), ("w", "w"), ("d", "d"), ("t", "t"), ("b", "b")],
    "k": [
        ("g", "i"),
        ("s", "s"),
        ("ls", "L"),
        ("fs", "F"),
        ("r", "R"),
        ("z", "z"),
        ("v", "v"),
        ("vs", "V"),
    ],
    "none": [("g", "i"), ("f", "f"), ("s", "s")],
}
TYPES = {
    "h": "smallint", "i": "int", "l": "bigint", "e": "real", "f": "double precision",
    "n": "numeric(10,2)", "w": "numeric(38,5)", "s": "text", "d": "date", "t": "timestamp",
    "z": "timestamptz", "v": "interval", "b": "boolean", "L": "int[]", "F": "double precision[]",
    "V": "interval[]", "R": "struct(x int, y text)",
}  # fmt: skip
LITERALS = {
    "h": ["1::smallint", "(-1)::smallint", "32767::smallint"],
    "i": ["0", "1", "2", "3", "2147483647"],
    "l": ["0::bigint", "2::bigint", "9223372036854775807"],
    "e": ["0.5::real", "1::real"],
    "f": ["0.0::float8", "1.5::float8", "'NaN'::float8", "(-2)::float8"],
    "n": ["0.00", "1.25", "-3.10", "99999999.99::numeric(10,2)"],
    "w": ["0.00001::numeric(38,5)", "12345678901234567890.5::numeric(38,5)"],
    "s": ["''", "'a'", "'é'", "'12'", "'zz'", "' a'"],
    "d": ["date '2024-02-29'", "date '2023-12-31'"],
    "t": ["timestamp '2024-03-31 02:30:00'", "timestamp '1969-12-31 23:59:59.999999'"],
    "z": ["timestamptz '2024-03-31 01:00:00+00'"],
    "v": ["interval '1 day'", "interval '30 days'", "interval '1 month'", "interval '-2 hours'"],
    "b": ["true", "false"],
    "L": ["ARRAY[1, 2]", "ARRAY[3]"],
    "F": ["ARRAY[0.0::float8]"],
    "V": ["ARRAY[interval '1 month']", "ARRAY[interval '30 days']"],
    "R": ["{'x': 1, 'y': 'a'}::struct(x int, y text)"],
}  # fmt: skip
EVERY = "".join(TYPES)
INTEGERS, NUMBERS = "hil", "hilefnw"
COMPARISONS = ["=", "=", "<>", "<", "<=", ">", ">="]


def hostile_query(seed: int) -> str:
    return Writer(random.Random(seed)).query(2)[0]


@dataclass
class Writer:
    random: random.Random
    aliases: int = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, *options: str) -> str:
        return self.random.choice(options)

    def alias(self) -> str:
        self.aliases += 1
        return f"x{self.aliases}"

    def column(self, columns: list[Column], kind: str) -> str:
        found = [name for name, of in columns if of == kind]
        return self.random.choice(found) if found else self.pick(*LITERALS[kind])

    def kind(self, columns: list[Column], among: str = EVERY) -> str:
        """A kind of which there is a column, or any."""
        found = [kind for _, kind in columns if kind in among]
        return self.random.choice(found or list(among))

    def value(self, columns: list[Column], kind: str, depth: int) -> str:
        """An expression of a kind."""
        if depth == 0 or self.chance(0.4):
            if self.chance(0.15):
                return self.pick(*LITERALS[kind])
            return self.column(columns, kind)

        def of(other: str) -> str:
            return self.value(columns, other, depth - 1)

        shared: list[Callable[[], str]] = [
            lambda: f"coalesce({of(kind)}, {of(kind)})",
            lambda: f"nullif({of(kind)}, {of(kind)})",
            lambda: f"case when {self.test(columns, 0)} then {of(kind)} else {of(kind)} end",
            lambda: f"{self.pick('greatest', 'least')}({of(kind)}, {of(kind)})",
        ]
        own = self.functions(kind, of)
        return self.random.choice(own if own and self.chance(0.7) else shared)()

    def functions(self, kind: str, of: Callable[[str], str]) -> list[Callable[[], str]]:
        pick, number = self.pick, self.random.randrange
        if kind in NUMBERS:
            name = TYPES[kind]
            found: list[Callable[[], str]] = [
                lambda: f"({of(kind)} {pick('+', '-', '*', '/', '%')} {of(kind)})::{name}",
                lambda: f"({of(kind)} {pick('+', '-', '*')} {of(kind)})::{name}",
                lambda: f"(- {of(kind)})",
                lambda: f"abs({of(kind)})",
                lambda: f"cast({of(pick(*NUMBERS))} as {name})",
                lambda: f"cast({of('s')} as {name})",
            ]
            if kind in "ef":
                call = pick("sqrt", "ln", "exp", "floor", "ceil", "sign", "atan", "cbrt", "asin")
                found.append(lambda: f"{call}({of(kind)})::{name}")
                found.append(lambda: f"atan2({of('f')}, {of('f')})::{name}")
                found.append(lambda: f"power({of('f')}, {of('f')})::{name}")
            if kind in "nw":
                found.append(lambda: f"round({of(kind)}, {number(3)})::{name}")
                found.append(lambda: f"trunc({of(kind)})::{name}")
            if kind == "i":
                found += [
                    lambda: f"length({of('s')})::int",
                    lambda: f"({of('d')} - {of('d')})::int",
                    lambda: f"extract({pick('year', 'dow', 'week', 'month')} from {of('t')})::int",
                    lambda: f"{of('L')}[{of('i')}]",
                    lambda: f"len({of('L')})::int",
                    lambda: f"({of('R')}).x",
                ]
            return found
        return {
            "s": [
                lambda: f"({of('s')} || {of('s')})",
                lambda: f"{pick('upper', 'lower', 'trim', 'reverse', 'md5')}({of('s')})",
                lambda: f"substring({of('s')}, {of('i')}, {of('i')})",
                lambda: f"{pick('left', 'right')}({of('s')}, {number(-2, 3)})",
                lambda: f"({of(pick(*'hilnsdb'))})::text",
                lambda: f"split_part({of('s')}, 'a', {pick('1', '-1', '0')})",
                lambda: f"({of('R')}).y",
            ],
            "d": [
                lambda: f"({of('d')} + {of('i')})",
                lambda: f"cast({of(pick('t', 's'))} as date)",
                lambda: f"make_date({of('i')}, {of('i')}, {of('i')})",
            ],
            "t": [
                lambda: f"({of('t')} {pick('+', '-')} {of('v')})",
                lambda: f"date_trunc('{pick('hour', 'week', 'month', 'year')}', {of('t')})",
                lambda: f"cast({of('d')} as timestamp)",
                lambda: f"({of('z')} at time zone '{pick('UTC', 'America/New_York')}')",
                lambda: f"({of('t')} + interval '1 month')",
            ],
            "z": [
                lambda: f"({of('t')} at time zone '{pick('Europe/Berlin', 'UTC')}')",
                lambda: f"({of('z')} + {of('v')})",
            ],
            "v": [
                lambda: f"({of('v')} {pick('+', '-')} {of('v')})",
                lambda: f"({of('t')} - {of('t')})",
                lambda: f"({of('v')} * {of('i')})",
            ],
            "b": [lambda: f"({self.comparison(of)})", lambda: f"(not {of('b')})"],
            "L": [
                lambda: f"ARRAY[{of('i')}, {of('i')}]",
                lambda: f"({of('L')} || {of('L')})",
                lambda: f"({of('L')})[{number(-1, 3)}:{of('i')}]",
                lambda: f"array_sort({of('L')})",
                lambda: f"array_append({of('L')}, {of('i')})",
            ],
            "F": [lambda: f"ARRAY[{of('f')}, {of('f')}]", lambda: f"({of('F')} || {of('f')})"],
            "V": [lambda: f"ARRAY[{of('v')}, {of('v')}]", lambda: f"({of('V')} || {of('v')})"],
            "R": [lambda: f"ROW({of('i')}, {of('s')})::{TYPES['R']}"],
        }[kind]

    def comparison(self, of: Callable[[str], str]) -> str:
        kind = self.pick(*EVERY.replace("b", ""))
        return f"{of(kind)} {self.pick(*COMPARISONS)} {of(kind)}"

    def test(self, columns: list[Column], depth: int, *, subqueries: bool = False) -> str:
        """A condition."""
        maybe_not = self.pick("", "not ")
        if depth and self.chance(0.45):
            parts = [self.test(columns, depth - 1, subqueries=subqueries) for _ in range(2)]
            shapes = [f"({parts[0]} and {parts[1]})", f"({parts[0]} or {parts[1]})"]
            return self.pick(*shapes, f"not ({parts[0]})")
        if subqueries and self.chance(0.35):
            return self.subquery(columns)
        kind = self.kind(columns)
        left, right = (self.value(columns, kind, depth) for _ in range(2))
        options = [
            f"{left} {self.pick(*COMPARISONS)} {right}",
            f"{left} is {maybe_not}null",
            f"{left} is {maybe_not}distinct from {right}",
            f"{left} between {self.pick(*LITERALS[kind])} and {right}",
        ]
        if kind in "hilnsd":
            options.append(f"{left} {maybe_not}in ({right}, {self.pick(*LITERALS[kind])})")
        if kind == "s":
            options.append(f"{left} {maybe_not}like '{self.pick('a%', '_', '%é')}'")
        return self.pick(*options)

    def subquery(self, columns: list[Column]) -> str:
        table, alias = self.random.choice(list(TABLES)), self.alias()
        inner = [(f"{alias}.{name}", kind) for name, kind in TABLES[table]]
        source, maybe_not = f"from {table} {alias}", self.pick("", "not ")
        kind = self.kind(inner, EVERY)
        if self.chance(0.5):
            tie = self.kind(inner, "".join({of for _, of in columns}) or "i")
            compared = self.pick("=", "=", "=", *COMPARISONS)
            source += f" where {self.column(inner, tie)} {compared} {self.column(columns, tie)}"
        elif self.chance(0.5):
            source += f" where {self.test(inner, 1)}"
        read, outer = self.column(inner, kind), self.value(columns, kind, 1)
        extreme, comparison = self.pick("max", "min"), self.pick(*COMPARISONS)
        options = [
            f"{maybe_not}exists (select 1 {source})",
            f"{outer} {maybe_not}in (select {read} {source})",
            f"{outer} {comparison} {self.pick('any', 'all')} (select {read} {source})",
            f"{outer} {comparison} (select {read} {source})",
            f"{self.value(columns, 'l', 1)} {comparison} (select count({read}) {source})",
        ]
        if kind != "b":
            options.append(f"{outer} {comparison} (select {extreme}({read}) {source})")
        return self.pick(*options)

    def relation(self, depth: int) -> tuple[str, list[Column]]:
        alias = self.alias()
        if depth > 0 and self.chance(0.35):
            text, columns = self.query(depth - 1)
            text = f"({text}) {alias}"
        else:
            table = self.random.choice(["p", "q", "k", "p", "q", "k", "none"])
            text, columns = f"{table} {alias}", TABLES[table]
        return text, [(f"{alias}.{name}", kind) for name, kind in columns]

    def source(self, depth: int) -> tuple[str, list[Column]]:
        text, columns = self.relation(depth)
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            right, more = self.relation(depth - 1)
            join = self.pick("join", "left join", "right join", "full join", "cross", "lateral")
            if join == "cross":
                text += f" cross join {right}"
            elif join == "lateral":
                right, more = self.lateral(columns)
                text += right
            else:
                kind = self.kind(more, "".join({of for _, of in columns}) or "i")
                compared = "=" if self.chance(0.7) else self.pick(*COMPARISONS)
                on = f"{self.column(columns, kind)} {compared} {self.column(more, kind)}"
                if self.chance(0.3):
                    on += f" and {self.test(columns + more, 1)}"
                text += f" {join} {right} on {on}"
            columns = columns + more
        return text, columns

    def lateral(self, columns: list[Column]) -> tuple[str, list[Column]]:
        alias, sort = self.alias(), self.random.randrange(4)
        if sort == 0:
            return f", unnest({self.value(columns, 'L', 1)}) as {alias}(m)", [(f"{alias}.m", "i")]
        if sort == 1:
            last = f"({self.value(columns, 'i', 0)}) % 4"
            call = f"generate_series(1, {last})"
            return f" left join lateral {call} as {alias}(m) on true", [(f"{alias}.m", "i")]
        table, inner = self.random.choice(["p", "q", "k"]), self.alias()
        own = [(f"{inner}.{name}", kind) for name, kind in TABLES[table]]
        kind = self.kind(own, "".join({of for _, of in columns}) or "i")
        where = f"where {self.column(own, kind)} = {self.column(columns, kind)}"
        read = self.kind(own)
        body = f"select {self.column(own, read)} as m from {table} {inner} {where}"
        if sort == 2:
            every = ", ".join(f"{name} {self.pick('', 'desc')}" for name, _ in own)
            body += f" order by {every} limit {self.random.randrange(1, 3)}"
        else:
            body = f"select count(*) as m from {table} {inner} {where}"
            read = "l"
        return f" left join lateral ({body}) {alias} on true", [(f"{alias}.m", read)]

    def query(self, depth: int) -> tuple[str, list[Column]]:
        source, columns = self.source(depth)
        if self.chance(0.55):
            source += f" where {self.test(columns, 2, subqueries=True)}"
        sort = self.random.random()
        if sort < 0.35:
            return self.grouped(source, columns)
        if sort < 0.5:
            return self.windowed(source, columns)
        if sort < 0.6:
            return self.limited(source, columns)
        kinds = [self.kind(columns) for _ in range(self.random.randrange(1, 4))]
        text = self.selected(source, columns, kinds)
        if self.chance(0.25):
            other, found = self.source(0)
            second = self.selected(other, found, kinds)
            text += f" {self.pick('union', 'except', 'intersect')}{self.pick('', ' all')} {second}"
        return text, [(f"c{i}", kind) for i, kind in enumerate(kinds)]

    def selected(self, source: str, columns: list[Column], kinds: list[str]) -> str:
        values = [f"{self.value(columns, k, 2)} as c{i}" for i, k in enumerate(kinds)]
        distinct = "distinct " if self.chance(0.2) else ""
        return f"select {distinct}{', '.join(values)} from {source}"

    def limited(self, source: str, columns: list[Column]) -> tuple[str, list[Column]]:
        """The first rows, or the first of each key: any of those that are equal in the order."""
        kinds = [self.kind(columns) for _ in range(self.random.randrange(1, 4))]
        values = [f"{self.value(columns, k, 1)} as c{i}" for i, k in enumerate(kinds)]
        key = self.column(columns, self.kind(columns))
        order = f"{key} {self.pick('', 'desc', 'nulls first', 'desc nulls last')}"
        text = f"select {', '.join(values)} from {source} order by {order}"
        text += f" limit {self.random.randrange(1, 5)}"
        if self.chance(0.4):
            only = f"distinct on ({key}) "
            text = f"select {only}{', '.join(values)} from {source} order by {order}"
        return text, [(f"c{i}", kind) for i, kind in enumerate(kinds)]

    def aggregate(self, columns: list[Column]) -> Column:
        name = self.pick(
            "count", "sum", "min", "max", "avg", "array_agg", "string_agg", "mode", "stddev",
            "bool_and", "percentile_cont", "bit_xor", "any_value", "sum", "max_by",
        )  # fmt: skip
        if name == "string_agg":
            return f"string_agg({self.value(columns, 's', 1)}, ',')", "s"
        if name == "bool_and":
            return f"{self.pick('bool_and', 'bool_or')}({self.value(columns, 'b', 1)})", "b"
        if name == "max_by":
            kind, by = self.kind(columns), self.value(columns, self.kind(columns), 1)
            return f"{self.pick('max_by', 'min_by')}({self.value(columns, kind, 1)}, {by})", kind
        if name == "bit_xor":
            return f"bit_xor({self.value(columns, 'i', 1)})", "i"
        if name == "percentile_cont":
            value = self.value(columns, "f", 1)
            return f"percentile_cont(0.5) within group (order by {value})", "f"
        if name == "array_agg":
            by = self.value(columns, self.kind(columns), 0)
            return f"array_agg({self.value(columns, 'i', 1)} order by {by})", "L"
        if name in ("sum", "avg", "stddev"):
            kind = self.kind(columns, NUMBERS)
            distinct = self.pick("", "", "distinct ") if name == "sum" else ""
            call = f"{name}({distinct}{self.value(columns, kind, 1)})"
            return (call, "f") if kind == "f" or name == "stddev" else (f"({call})::float8", "f")
        kind = self.kind(columns, EVERY.replace("b", ""))
        value = self.value(columns, kind, 1)
        if name == "mode":
            return f"mode() within group (order by {value})", kind
        if name == "count":
            return f"count({self.pick('', 'distinct ')}{value})", "l"
        return f"{name}({value})", kind

    def grouped(self, source: str, columns: list[Column]) -> tuple[str, list[Column]]:
        drawn = [self.kind(columns) for _ in range(self.random.randrange(3))]
        keys = [(self.value(columns, kind, 1), kind) for kind in drawn]
        keys = list({name: (name, kind) for name, kind in keys if "x" in name}.values())
        found = [self.aggregate(columns) for _ in range(self.random.randrange(1, 4))]
        calls = []
        for call, kind in found:
            plain = not call.startswith("(") and "within" not in call and "distinct" not in call
            narrowed = f"{call} filter (where {self.test(columns, 1)})"
            calls.append((narrowed if plain and self.chance(0.2) else call, kind))
        outputs = [f"{key} as k{i}" for i, (key, _) in enumerate(keys)]
        outputs += [f"{call} as g{i}" for i, (call, _) in enumerate(calls)]
        text = f"select {', '.join(outputs)} from {source}"
        if keys:
            names = ", ".join(key for key, _ in keys)
            shape = self.pick(names, names, names, f"rollup ({names})")
            text += f" group by {shape}"
        if self.chance(0.2):
            text += f" having count(*) > {self.random.randrange(3)}"
        made = [(f"k{i}", kind) for i, (_, kind) in enumerate(keys)]
        return text, made + [(f"g{i}", kind) for i, (_, kind) in enumerate(calls)]

    def windowed(self, source: str, columns: list[Column]) -> tuple[str, list[Column]]:
        parts = ""
        if self.chance(0.7):
            parts = f"partition by {self.column(columns, self.kind(columns))} "
        order = f"order by {self.column(columns, self.kind(columns))} {self.pick('', 'desc')}"
        kind = self.kind(columns, EVERY.replace("b", ""))
        value = self.value(columns, kind, 1)
        number = self.value(columns, self.kind(columns, NUMBERS), 1)
        frame = self.pick("", " rows between 1 preceding and current row", " rows 2 preceding",
                          " groups 1 preceding")  # fmt: skip
        over = f"over ({parts}{order}{frame})"
        calls: list[Column] = [
            (f"row_number() over ({parts}{order})", "l"),
            (f"{self.pick('rank', 'dense_rank')}() over ({parts}{order})", "l"),
            (f"{self.pick('lag', 'lead')}({value}) over ({parts}{order})", kind),
            (f"{self.pick('first_value', 'last_value')}({value}) {over}", kind),
            (f"{self.pick('min', 'max')}({value}) {over}", kind),
            (f"({self.pick('sum', 'avg')}({number}) {over})::float8", "f"),
            (f"count({self.pick('', 'distinct ')}{value}) {over}", "l"),
            (f"array_agg({self.pick('', 'distinct ')}{self.value(columns, 'i', 1)}) {over}", "L"),
        ]
        chosen = self.random.sample(calls, self.random.randrange(1, 3))
        kept = self.kind(columns)
        outputs = [f"{self.column(columns, kept)} as c0"]
        outputs += [f"{call} as w{i}" for i, (call, _) in enumerate(chosen)]
        made = [("c0", kept), *((f"w{i}", kind) for i, (_, kind) in enumerate(chosen))]
        return f"select {', '.join(outputs)} from {source}", made
