"""Random queries over lists and structs, of what DuckDB computes by PostgreSQL's rules: nothing is
joined to a null list, no null is sought in a list, and subscripts are not negative."""

from __future__ import annotations

import random

_DEPTH_MAX = 3


class _Expressions:
    """Of the columns of `ticking.NESTED`, under an alias."""

    def __init__(self, pick: random.Random, alias: str) -> None:
        self._pick = pick
        self._alias = alias

    def of(self, kind: str, depth: int = 0) -> str:
        """An expression of int, text, ints (a list), lists (of those), pair (a struct), or bool."""
        makers = {
            "int": self._int, "text": self._text, "ints": self._ints, "lists": self._lists,
            "pair": self._pair, "bool": self._bool,
        }  # fmt: skip
        return makers[kind](depth)

    def any(self) -> str:
        return self.of(self._pick.choice(["int", "text", "ints", "ints", "lists", "pair"]))

    def _int(self, depth: int) -> str:
        here = [f"{self._alias}.{name}" for name in ("g", "s.x", "a[1]", "m[1][2]", "p[1].q[1]")]
        if depth >= _DEPTH_MAX:
            return self._pick.choice([*here, "1"])
        return self._pick.choice(
            [
                *here,
                f"len({self.of('ints', depth + 1)})",
                f"({self.of('ints', depth + 1)})[{self._pick.randrange(4)}]",
                f"list_max({self.of('ints', depth + 1)})",
                f"list_position({self.of('ints', depth + 1)}, {self._pick.randrange(3)})",
                f"({self.of('pair', depth + 1)}).x",
            ]
        )

    def _text(self, depth: int) -> str:
        here = [f"{self._alias}.s.y", f"{self._alias}.w[1]", f"({self._alias}.s).y"]
        return self._pick.choice([*here, f"list_min({self._alias}.w)"])

    def _ints(self, depth: int) -> str:
        here = [f"{self._alias}.a", f"{self._alias}.m[1]", f"{self._alias}.p[1].q", "[1, NULL]"]
        if depth >= _DEPTH_MAX:
            return self._pick.choice(here)

        def more() -> str:
            return self.of("ints", depth + 1)

        made = self._pick.choice(
            [
                "[{0}, {1}]", "({2})[1:2]", "({2})[2:]", "list_sort({2})", "list_reverse({2})",
                "coalesce({2}, {3})", "CASE WHEN {4} THEN {2} ELSE {3} END", "nullif({2}, {3})",
                "greatest({2}, {3})", "({5})[1]", "coalesce({2}, [7]) || coalesce({3}, [8])",
                "list_sort(list_distinct({2}))",
            ]
        )  # fmt: skip
        if "{" not in made:
            return made
        return made.format(
            self.of("int", depth + 1), self.of("int", depth + 1), more(), more(),
            self.of("bool", depth + 1), self.of("lists", depth + 1),
        ) if self._pick.random() < 0.8 else self._pick.choice(here)  # fmt: skip

    def _lists(self, depth: int) -> str:
        if depth >= _DEPTH_MAX:
            return f"{self._alias}.m"
        return self._pick.choice(
            [
                f"{self._alias}.m",
                f"[{self.of('ints', depth + 1)}, {self.of('ints', depth + 1)}]",
                f"list_sort({self.of('lists', depth + 1)})",
            ]
        )

    def _pair(self, depth: int) -> str:
        if depth >= _DEPTH_MAX:
            return f"{self._alias}.s"
        made = f"{{'x': {self.of('int', depth + 1)}, 'y': {self.of('text', depth + 1)}}}"
        return self._pick.choice([f"{self._alias}.s", made])

    def _bool(self, depth: int) -> str:
        kind = self._pick.choice(["int", "ints", "ints", "lists", "pair"])
        left, right = self.of(kind, depth + 1), self.of(kind, depth + 1)
        operators = ["=", "<>", "<", "<=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]
        compared = f"{left} {self._pick.choice(operators)} {right}"
        held = f"list_contains({self.of('ints', depth + 1)}, {self._pick.randrange(3)})"
        return f"({self._pick.choice([compared, compared, held, f'{left} IS NULL'])})"


def nested_query(seed: int) -> str:
    """The query of a seed."""
    pick = random.Random(seed)
    over = _Expressions(pick, "r")
    match pick.randrange(7):
        case 0:
            return f"SELECT r.id, {over.any()}, {over.any()} FROM r WHERE {over.of('bool')}"
        case 1:
            key = over.any()
            return f"SELECT {key}, count(*), min({over.any()}) FROM r GROUP BY {key}"
        case 2:
            return f"SELECT DISTINCT {over.any()}, {over.of('bool')} FROM r"
        case 3:
            nulls = pick.choice(["", "DESC", "NULLS FIRST"])
            return f"SELECT id, {over.any()} FROM r ORDER BY {over.any()} {nulls}, id LIMIT 5"
        case 4:
            other = _Expressions(pick, "o")
            kind = pick.choice(["int", "ints", "lists", "pair"])
            how = pick.choice(["JOIN", "LEFT JOIN", "FULL JOIN"])
            return (
                f"SELECT r.id, o.id, {over.any()} FROM r {how} r o"
                f" ON {over.of(kind)} = {other.of(kind)}"
            )
        case 5:
            return (
                f"SELECT id, rank() OVER (PARTITION BY {over.any()} ORDER BY {over.any()}),"
                f" max({over.any()}) OVER (PARTITION BY g) FROM r"
            )
        case _:
            kind = pick.choice(["int", "ints", "pair"])
            how = pick.choice(["EXCEPT ALL", "INTERSECT", "UNION"])
            return f"SELECT {over.of(kind)} FROM r {how} SELECT {over.of(kind)} FROM r WHERE g = 1"
