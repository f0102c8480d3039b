"""Reading the parser's tree: names, descriptions for refusals, simple questions about queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.parsing.source import Source

# Aggregates of two values.
PAIR_NAMES: Final = frozenset(
    {
        "arg_max", "arg_min", "corr", "covar_pop", "covar_samp", "max_by", "min_by", "regr_avgx",
        "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx",
        "regr_sxy", "regr_syy",
    }
)  # fmt: skip
# Functions that are nothing without OVER.
WINDOW_NAMES: Final = frozenset(
    {
        "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead",
        "first_value", "last_value", "nth_value",
    }
)  # fmt: skip
AGGREGATE_NAMES: Final = frozenset(
    {
        *PAIR_NAMES,
        "count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "string_agg",
        "array_agg", "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop",
        "percentile_cont", "percentile_disc", "mode", "json_agg", "jsonb_agg", "bit_and", "bit_or",
        "bit_xor", "median", "any_value",
        "grouping",
    }
)  # fmt: skip
# Followed by WITHIN GROUP: the place that a row would have.
HYPOTHETICAL_NAMES: Final = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})

SET_RETURNING_NAMES: Final = frozenset(
    {
        "unnest",
        "generate_series",
        "regexp_matches",
        "string_to_table",
        "regexp_split_to_table",
    }
)
PUBLIC: Final = "public"  # the schema of all that users make


def name_of(identifier: exp.Expr | None) -> str:
    """An identifier as the catalog knows it: lower case unless it was quoted."""
    assert isinstance(identifier, exp.Identifier), f"not an identifier: {identifier!r}"
    name = str(identifier.this)
    return name if identifier.args.get("quoted") else name.lower()


def expect_only(source: Source, node: exp.Expr, *allowed: str) -> None:
    """Refuse what the parser understood and we would silently ignore.

    Raises:
        UnsupportedSql: a part of `node` that is not in `allowed` is present.
    """
    for part, value in node.args.items():
        if part in allowed or value is None or value is False or value == []:
            continue
        what = _PART_NAMES.get(part, part.strip("_").replace("_", " ").upper())
        found = value[0] if isinstance(value, list) else value
        name = _NODE_NAMES.get(type(node), type(node).__name__.upper())
        raise source.unsupported(
            found if isinstance(found, exp.Expr) and source.knows(found) else node,
            f"{what} in {name}" if what != name and part not in _PART_NAMES else what,
        )


_NODE_NAMES: Final[dict[type[exp.Expr], str]] = {exp.OnConflict: "ON CONFLICT"}
# What the parser calls some clauses is not what people call them.
_PART_NAMES: Final = {
    "locks": "FOR UPDATE or FOR SHARE", "sample": "TABLESAMPLE", "laterals": "LATERAL",
    "pivots": "PIVOT", "db": "a name with a schema", "windows": "a named window",
    "spec": "the frame of a window", "only": "ONLY", "ordinality": "WITH ORDINALITY",
    "tables": "a table before FROM",
}  # fmt: skip


def is_aggregate(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and function_name(node) in AGGREGATE_NAMES


def is_set_returning(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and function_name(node) in SET_RETURNING_NAMES


def function_name(node: exp.Anonymous) -> str:
    return node.this.lower() if isinstance(node.this, str) else name_of(node.this)


def named_arguments(
    source: Source, node: exp.Anonymous, parameters: tuple[str, ...]
) -> list[exp.Expr]:
    """The arguments in the order of the parameters, 0 for what is left out.

    Raises:
        InvalidSql: a name that no parameter has, or that is given twice.
    """
    found: dict[str, exp.Expr] = {}
    for place, argument in enumerate(node.expressions):
        name, value = parameters[min(place, len(parameters) - 1)], argument
        if isinstance(argument, exp.Kwarg):
            name, value = argument.this.name.lower(), argument.expression
        elif place >= len(parameters):
            raise source.invalid(node, f"{function_name(node)} has {len(parameters)} parameters")
        if name not in parameters or name in found:
            raise source.invalid(node, f'{function_name(node)} has no parameter "{name}" here')
        found[name] = value
    return [found.get(name, exp.Literal.number(0)) for name in parameters]


def describe(node: exp.Expr) -> str:
    """A node in words, for refusals."""
    if isinstance(node, exp.Anonymous):
        return f"the function {function_name(node)}"
    if isinstance(node, exp.Filter | exp.WithinGroup):
        return describe(node.this)
    named: dict[type[exp.Expr], str] = {
        exp.Window: "a window function", exp.Subquery: "a subquery", exp.In: "IN (subquery)",
        exp.Exists: "EXISTS", exp.Array: "an array", exp.Bracket: "a subscript",
        exp.Parameter: "a parameter", exp.Placeholder: "a parameter",
        exp.Add: '"+"', exp.Sub: '"-"', exp.Mul: '"*"', exp.Div: '"/"',
        exp.CurrentUser: "current_user",
    }  # fmt: skip
    return named.get(type(node), type(node).__name__.upper())


def without_not(node: exp.Expr) -> tuple[exp.Expr, bool]:
    """What stands under NOT and parentheses, and whether it is negated; `= ANY` of a subquery is
    IN, and `<> ALL` is NOT IN."""
    negated = False
    while isinstance(node, exp.Not | exp.Paren):
        negated ^= isinstance(node, exp.Not)
        node = node.this
    found = as_in(node)
    return (node, negated) if found is None else (found[0], negated ^ found[1])


def as_in(node: exp.Expr) -> tuple[exp.In, bool] | None:
    """`= ANY (subquery)` as IN, `<> ALL (subquery)` as IN that is negated; None for all else."""
    negated = isinstance(node, exp.NEQ) and isinstance(node.expression, exp.All)
    if not negated and not (isinstance(node, exp.EQ) and isinstance(node.expression, exp.Any)):
        return None
    query = quantified_query(node)
    return None if query is None else (exp.In(this=node.this, query=query), negated)


def quantified_query(node: exp.Expr) -> exp.Expr | None:
    """The subquery of a comparison with ANY or ALL."""
    if not isinstance(node.args.get("expression"), exp.Any | exp.All):
        return None
    inner: exp.Expr = node.expression.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    return inner if isinstance(inner, exp.Query) else None


def is_subquery_value(node: exp.Expr) -> bool:
    """Whether it is a subquery in an expression, or a test of one."""
    if quantified_query(node) is not None or is_in_query(node) or is_array_query(node):
        return True
    return isinstance(node, exp.Subquery | exp.Exists)


def has_query(node: exp.Expr) -> bool:
    """Whether a query stands in it."""
    return node.find(exp.Query, exp.Values) is not None


def word_of_call(node: exp.Expr | None) -> exp.Expr | None:
    """EXISTS, ALL or SOME, where the parser takes it for the call of a function: it knows them
    before SELECT alone."""
    if not isinstance(node, exp.Anonymous) or len(node.expressions) != 1:
        return None
    (inner,), made = node.expressions, _WORDS.get(function_name(node))
    if made is None or (made is exp.Exists and not _is_query(inner)):
        return None
    return made(this=exp.Subquery(this=inner) if isinstance(inner, exp.Values) else inner)


_WORDS: Final = {"exists": exp.Exists, "all": exp.All, "any": exp.Any, "some": exp.Any}


def _is_query(node: exp.Expr) -> bool:
    return isinstance(node, exp.Query | exp.Values)


def is_array_query(node: exp.Expr) -> bool:
    """ARRAY(SELECT ...)."""
    is_call = isinstance(node, exp.Anonymous) and function_name(node) == "array"
    return is_call and len(node.expressions) == 1 and _is_query(node.expressions[0])


def quantified_list(node: exp.Expr) -> tuple[exp.Expr, bool] | None:
    """What a comparison with ANY or ALL of a list ranges over, and whether it is ALL."""
    side = node.args.get("expression")
    if not isinstance(side, exp.Any | exp.All):
        return None
    inner: exp.Expr = side.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    return inner, isinstance(side, exp.All)


def is_row(node: exp.Expr | None) -> bool:
    """`(a, b)` or `ROW(a, b)`."""
    is_call = isinstance(node, exp.Anonymous) and function_name(node) == "row"
    return is_call or isinstance(node, exp.Tuple)


def conjunct_nodes(node: exp.Expr) -> list[exp.Expr]:
    """The parts of a condition that must all be true, without parentheses around them."""
    result: list[exp.Expr] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, exp.Paren):
            stack.append(current.this)
        elif isinstance(current, exp.And):
            stack.extend((current.expression, current.this))
        else:
            result.append(current)
    return result


def is_in_query(node: exp.Expr) -> bool:
    return isinstance(node, exp.In) and node.args.get("query") is not None


def has_clause(node: exp.Expr, *parts: str) -> bool:
    return any(node.args.get(part) for part in parts)


def plain_select(node: exp.Expr) -> exp.Select | None:
    """The SELECT, if what it does after WHERE changes neither EXISTS nor IN."""
    inner = node.this if isinstance(node, exp.Subquery) else node
    if not isinstance(inner, exp.Select):
        return None
    if has_clause(inner, "group", "having", "limit", "offset", "with_") or aggregates_in(inner):
        return None
    return inner


def aggregates_in(select: exp.Select) -> bool:
    """Whether the select calls an aggregate, a window or a set-returning function of its own."""
    return (
        windows_in(select)
        or sets_in(select)
        or any(
            isinstance(found, exp.WithinGroup) or is_aggregate(found)
            for found in _own_nodes(select)
        )
    )


def windows_in(select: exp.Select) -> bool:
    """Whether it calls a window function of its own."""
    qualified = select.args.get("qualify") is not None
    return qualified or any(isinstance(found, exp.Window) for found in _own_nodes(select))


def sets_in(select: exp.Select) -> bool:
    """Whether it calls a set-returning function in its select list."""
    return any(is_set_returning(found) for found in _own_nodes(select))


def _own_nodes(select: exp.Select) -> Iterator[exp.Expr]:
    """What stands in the select list, but for subqueries."""
    for item in select.expressions:
        yield from item.walk(prune=lambda n: isinstance(n, exp.Query))


def is_single_aggregate(select: exp.Select) -> bool:
    barred = ("group", "having", "limit", "offset", "distinct", "with_")
    if windows_in(select) or sets_in(select):
        return False
    return aggregates_in(select) and not has_clause(select, *barred)


def literal_limit(select: exp.Select) -> int | None:
    limit = select.args.get("limit")
    wanted = None if limit is None else limit.args.get("expression") or limit.args.get("count")
    if wanted is None:
        return None
    is_number = isinstance(wanted, exp.Literal) and wanted.name.isdigit()
    return int(wanted.name) if is_number else 0
