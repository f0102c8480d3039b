"""Functions that return sets: what they take, and what stands for them in FROM and in SELECT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import columns_of_all, walk
from antiphon.controller.sql.algebra.plans import width_of
from antiphon.controller.sql.binding.coercion import (
    Unknown,
    Unsettled,
    cast,
    coerce,
    settle,
    unify,
)
from antiphon.controller.sql.binding.naming import output_name
from antiphon.controller.sql.binding.scope import SETS, Scope, ScopeColumn, is_set
from antiphon.controller.sql.binding.types import check_depth
from antiphon.controller.sql.parsing.syntax import (
    SET_RETURNING_NAMES,
    describe,
    expect_only,
    function_name,
    is_aggregate,
    is_set_returning,
    name_of,
)
from antiphon.controller.sql.scalars.functions import Arguments, call
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.controller.sql.scalars.text_regexps import matches
from antiphon.protocol.expression import Call, Case, ColumnReference, Expression
from antiphon.protocol.plan import FlatMap, Plan, TableFunction
from antiphon.protocol.schema import (
    DATE,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Type,
    TypeKind,
    list_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCall:
    """Functions side by side in FROM. `scope`: their columns, numbered from 0."""

    functions: tuple[TableFunction, ...]
    with_ordinality: bool
    scope: Scope

    @property
    def reads(self) -> frozenset[int]:
        """The columns of the relations before it that it mentions."""
        return columns_of_all(part for f in self.functions for part in f.arguments)

    def over(self, left: Plan, *, keep_empty: bool) -> Plan:
        """Each row of `left` beside what the functions make of it."""
        return FlatMap(
            input=left, functions=self.functions, with_ordinality=self.with_ordinality,
            keep_empty=keep_empty,
        )  # fmt: skip


def is_table_call(node: exp.Expr) -> bool:
    """Whether something in FROM is a call, or several, with LATERAL before it or without."""
    if isinstance(node, exp.Lateral):
        node = node.this
    if isinstance(node, exp.Table):
        return not isinstance(node.this, exp.Identifier)
    return isinstance(node, exp.Unnest | exp.Func)


def table_call(scalars: Scalars, node: exp.Expr, alias: str | None) -> TableCall:
    """The calls of an item of FROM; `scalars` lowers their arguments.

    Raises:
        UnsupportedSql: a function that returns no set.
    """
    calls, with_ordinality = _calls_of(scalars, node)
    found = [found for call in calls for found in _lowered(scalars, call)]
    names = [name for name, _ in found]
    if len(found) == 1 and alias is not None:
        names = [alias]
    types = [function.type for _, function in found]
    if with_ordinality:
        names.append("ordinality")
        types.append(INT64)
    columns = tuple(
        ScopeColumn(name=name, qualifier=alias or found[0][0], index=index, type=kind)
        for index, (name, kind) in enumerate(zip(names, types, strict=True))
    )
    return TableCall(
        functions=tuple(function for _, function in found),
        with_ordinality=with_ordinality,
        scope=Scope(columns),
    )


def _calls_of(scalars: Scalars, node: exp.Expr) -> tuple[list[exp.Expr], bool]:
    """The calls, and whether they are counted."""
    source = scalars.source
    counted = False
    if isinstance(node, exp.Lateral):
        expect_only(source, node, "this", "alias", "ordinality", "joins")
        counted, node = bool(node.args.get("ordinality")), node.this
    if isinstance(node, exp.Table):
        expect_only(source, node, "this", "alias", "ordinality", "joins", "rows_from")
        counted = bool(node.args.get("ordinality"))
        calls = node.args.get("rows_from") or [node.this]
        return [part.this if isinstance(part, exp.Table) else part for part in calls], counted
    if isinstance(node, exp.Unnest):
        counted = bool(node.args.get("offset"))
    return [node], counted


def as_select(node: exp.Expr) -> exp.Lateral | None:
    """One call in FROM as LATERAL (SELECT call), where its arguments may be subqueries; None: it
    is counted, or is none of ours."""
    inner = node.this if isinstance(node, exp.Lateral) else node
    if any(part.args.get("ordinality") or part.args.get("offset") for part in (node, inner)):
        return None
    call = inner.this if isinstance(inner, exp.Table) else inner
    if isinstance(call, exp.Unnest):
        call = exp.Anonymous(this="unnest", expressions=call.expressions)
    if not isinstance(call, exp.Anonymous) or not is_set_returning(call):
        return None
    alias = node.args.get("alias")
    name = function_name(call) if alias is None else name_of(alias.this)
    names = (alias and alias.args.get("columns")) or [exp.to_identifier(name, quoted=True)]
    table = exp.TableAlias(this=exp.to_identifier(name, quoted=True), columns=names)
    select = exp.Subquery(this=exp.Select(expressions=[call.copy()]))
    return exp.Lateral(this=select, alias=table)


def column_names(node: exp.Expr) -> list[str]:
    """The names in `AS alias(name, ...)`; of unnest the parser keeps the ordinal's apart."""
    alias = node.args.get("alias")
    names = [] if alias is None else list(alias.args.get("columns") or ())
    inner = node.this if isinstance(node, exp.Lateral) else node
    last = inner.args.get("offset") if isinstance(inner, exp.Unnest) else None
    return [name_of(name) for name in [*names, *([last] if isinstance(last, exp.Expr) else [])]]


def _lowered(scalars: Scalars, node: exp.Expr) -> list[tuple[str, TableFunction]]:
    if isinstance(node, exp.Unnest):
        expect_only(scalars.source, node, "expressions", "offset", "alias", "joins")
        return [("unnest", _unnest(scalars, node, part)) for part in node.expressions]
    if is_set_returning(node):
        assert isinstance(node, exp.Anonymous), "a call by name"
        return [(function_name(node), set_function(scalars, node))]
    if not isinstance(node, exp.Func) or is_aggregate(node):
        raise scalars.source.unsupported(node, f"{describe(node)} in FROM")
    # A value is a set of one.
    value = scalars.lower(node)
    check_depth(scalars.source, node, list_of(value.type))
    members = call("list", [value], list_of(value.type))
    return [
        (output_name(node), TableFunction(name="unnest", arguments=(members,), type=value.type))
    ]


# In a select list.


def set_function(scalars: Scalars, node: exp.Expr) -> TableFunction:
    """A call of a function of which `is_set_returning`.

    Raises:
        TypeMismatch: it does not take these arguments.
    """
    assert isinstance(node, exp.Anonymous), f"not a call: {node!r}"
    expect_only(scalars.source, node, "this", "expressions")
    return _FUNCTIONS[function_name(node)](scalars, node)


class SetCalls:
    """The set-returning functions of one select list, each once, in order of first mention."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls: list[TableFunction] = []

    @property
    def read(self) -> list[Expression]:
        """What the calls read of each row."""
        return [part for function in self.calls for part in function.arguments]

    def lower(self, scalars: Scalars, node: exp.Expr, place: str) -> Expression:
        """The placeholder of a call.

        Raises:
            UnsupportedSql: it stands neither in the select list nor in ORDER BY.
        """
        if place not in ("SELECT", "ORDER BY"):
            raise scalars.source.unsupported(node, f"{describe(node)} in {place}")
        function = set_function(scalars, node)
        if function not in self.calls:
            self.calls.append(function)
        return ColumnReference(index=SETS + self.calls.index(function), type=function.type)

    def check(self, scalars: Scalars, node: exp.Expr, value: Expression) -> None:
        """
        Raises:
            UnsupportedSql: whether a call is made at all depends on the row.
        """
        for part in walk(value):
            lazy = isinstance(part, Case)
            lazy |= isinstance(part, Call) and part.function in ("coalesce", "and", "or")
            if lazy and any(is_set(index) for index in columns_of_all([part])):
                raise scalars.source.unsupported(
                    node, "a function that returns a set in CASE, COALESCE, AND or OR"
                )

    def placed(
        self,
        plan: Plan,
        places: dict[int, Expression],
        place: Callable[[Expression], Expression],
    ) -> Plan:
        """The plan with a column for each call; says where each placeholder went. Those that read
        sets come after these, and go through each of their rows; the others side by side."""
        waiting = list(range(len(self.calls)))
        while waiting:
            ready = [
                number
                for number in waiting
                if not _sets_of(self.calls[number]) & {SETS + other for other in waiting}
            ]
            functions = tuple(
                replace(f, arguments=tuple(place(part) for part in f.arguments))
                for f in (self.calls[number] for number in ready)
            )
            width = width_of(plan)
            plan = FlatMap(input=plan, functions=functions)
            for column, number in enumerate(ready):
                kind = functions[column].type
                places[SETS + number] = ColumnReference(index=width + column, type=kind)
            waiting = [number for number in waiting if number not in ready]
        return plan


def _sets_of(function: TableFunction) -> frozenset[int]:
    """The placeholders of calls that it reads."""
    return frozenset(index for index in columns_of_all(function.arguments) if is_set(index))


# The functions.


def _unnest(scalars: Scalars, node: exp.Expr, part: exp.Expr) -> TableFunction:
    value = scalars.typed(part)
    if isinstance(value, Unsettled):
        value = settle(scalars.source, part, value)  # quoted text is text where nothing decides
    if isinstance(value, Unknown) or value.type.kind is not TypeKind.LIST:
        shown = "unknown" if isinstance(value, Unknown) else str(value.type)
        raise scalars.source.mismatch(node, f"there is no function unnest({shown})")
    assert value.type.element is not None, "a list without an element type"
    return TableFunction(name="unnest", arguments=(value,), type=value.type.element)


def _one_unnest(scalars: Scalars, node: exp.Anonymous) -> TableFunction:
    if len(node.expressions) != 1:
        what = f"unnest of {len(node.expressions)} arguments outside of FROM"
        raise scalars.source.unsupported(node, what)
    return _unnest(scalars, node, node.expressions[0])


def _generate_series(scalars: Scalars, node: exp.Anonymous) -> TableFunction:
    """Of integers; of dates (as timestamps) and timestamps, by an interval."""
    source, nodes = scalars.source, tuple(node.expressions)
    typed = tuple(scalars.typed(part) for part in nodes)
    shown = ", ".join("unknown" if isinstance(v, Unknown) else str(v.type) for v in typed)
    wrong = f"there is no function generate_series({shown}); cast the arguments"
    if not 2 <= len(typed) <= 3:
        raise source.mismatch(node, wrong)
    what = "the bounds of generate_series"
    known = [value.type for value in typed if not isinstance(value, Unknown)]
    if any(kind in (DATE, TIMESTAMP, TIMESTAMPTZ) for kind in known) or INTERVAL in known:
        if len(typed) != 3:
            raise source.mismatch(node, f"{wrong}: of times it takes a step")
        bounds, kind = unify(source, nodes[:2], typed[:2], what)
        if kind == DATE:
            kind = TIMESTAMP
        if kind not in (TIMESTAMP, TIMESTAMPTZ):
            raise source.mismatch(node, wrong)
        step = coerce(source, nodes[2], typed[2], INTERVAL, "the step of generate_series")
        arguments = (*(cast(bound, kind) for bound in bounds), step)
        return TableFunction(name="generate_series", arguments=arguments, type=kind)
    values, kind = unify(source, nodes, typed, what)
    if kind.kind is TypeKind.DECIMAL or kind.is_float:
        raise source.unsupported(node, f"generate_series of {kind}", "; cast it to bigint")
    if not kind.is_integer:
        raise source.mismatch(node, wrong)
    wide: Type = kind if kind == INT64 else INT32
    return TableFunction(
        name="generate_series", arguments=tuple(cast(v, wide) for v in values), type=wide
    )


def _parts(function: str) -> Callable[[Scalars, exp.Anonymous], TableFunction]:
    def build(scalars: Scalars, node: exp.Anonymous) -> TableFunction:
        """The members of the list of texts that `function` makes of the same arguments."""
        whole = exp.Anonymous(this=function, expressions=node.expressions)
        value = scalars.lower(whole.update_positions(node))
        return TableFunction(name="unnest", arguments=(value,), type=TEXT)

    return build


def _matches(scalars: Scalars, node: exp.Anonymous) -> TableFunction:
    """The groups of matches, one list for each."""
    nodes = tuple(node.expressions)
    typed = tuple(scalars.typed(part) for part in nodes)
    arguments = Arguments(
        source=scalars.source, call=node, name=function_name(node), values=typed, spots=nodes
    )
    return TableFunction(name="unnest", arguments=(matches(arguments),), type=list_of(TEXT))


_FUNCTIONS: Final[Mapping[str, Callable[[Scalars, exp.Anonymous], TableFunction]]] = (
    MappingProxyType(
        {
            "unnest": _one_unnest,
            "generate_series": _generate_series,
            "regexp_matches": _matches,
            "string_to_table": _parts("string_to_array"),
            "regexp_split_to_table": _parts("regexp_split_to_array"),
        }
    )
)
assert _FUNCTIONS.keys() == SET_RETURNING_NAMES, "what is known to return sets can be called"
