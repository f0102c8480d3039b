"""The names of result columns that got none: PostgreSQL's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.parsing.syntax import function_name, name_of

NAMELESS: Final = "?column?"


def output_name(node: exp.Expr) -> str:
    """The name of a select list item."""
    match node:
        case exp.Alias():
            return name_of(node.args["alias"])
        case exp.Column():
            return name_of(node.args["table"] if isinstance(node.this, exp.Star) else node.this)
        case exp.Anonymous():
            return function_name(node)
        case exp.Dot() if isinstance(node.expression, exp.Identifier):
            return name_of(node.expression)
        case exp.Bracket() | exp.Paren() | exp.Filter() | exp.WithinGroup() | exp.Window():
            return output_name(node.this)
        case exp.Collate() | exp.IgnoreNulls() | exp.RespectNulls():
            return output_name(node.this)
        case exp.Cast():
            inner = output_name(node.this)
            return inner if inner != NAMELESS else _type_name(node)
        case exp.Case():
            default = node.args.get("default")
            inner = NAMELESS if default is None else output_name(default)
            return inner if isinstance(default, exp.Column) else "case"
        case exp.Exists():
            return "exists"
        case exp.Subquery() if isinstance(node.this, exp.Select) and node.this.expressions:
            return output_name(node.this.expressions[0])
        case exp.Boolean():
            return "bool"
        case exp.Interval():
            return "interval"
        case _:
            return _SPECIAL_FORMS.get(type(node), NAMELESS)


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names with `_1`, `_2`, ... after those that came before. O(names)."""
    given = frozenset(names)
    taken: set[str] = set()
    counts: dict[str, int] = {}  # what a name was given last: less is taken for good
    result: list[str] = []
    for name in names:
        unique, count = name, counts.get(name, 0)
        while unique in taken or (count and unique in given):
            count += 1
            unique = f"{name}_{count}"
        counts[name] = count
        taken.add(unique)
        result.append(unique)
    return tuple(result)


_SPECIAL_FORMS: Final[dict[type[exp.Expr], str]] = {
    exp.Extract: "extract",
    exp.StrPosition: "position",
    exp.Substring: "substring",
    exp.Trim: "btrim",
    exp.Overlay: "overlay",
    exp.Overlaps: "overlaps",
    exp.CurrentDate: "current_date",
    exp.CurrentTimestamp: "now",
    exp.Localtimestamp: "localtimestamp",
    exp.AtTimeZone: "timezone",
    exp.Array: "array",
    exp.Tuple: "row",
    exp.Struct: "struct",
}
_TYPE_NAMES: Final = {
    exp.DType.INT: "int4",
    exp.DType.BIGINT: "int8",
    exp.DType.SMALLINT: "int2",
    exp.DType.DOUBLE: "float8",
    exp.DType.FLOAT: "float4",
    exp.DType.BOOLEAN: "bool",
    exp.DType.DECIMAL: "numeric",
    exp.DType.VARBINARY: "bytea",
}


def _type_name(node: exp.Cast) -> str:
    kind = node.args["to"].this
    return _TYPE_NAMES.get(kind, kind.name.lower() if isinstance(kind, exp.DType) else NAMELESS)
