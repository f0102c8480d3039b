"""Comparisons with the rows of a subquery that no join and no single aggregate answers.

`c LIKE ANY (query)`, `(a, b) < ALL (query)` and their kin become a subquery of two aggregates over
those rows; `(a, b) = (query)` compares with the fields of its one row. Written as SQL: what they
mention of the query around is found, and tied to it, as in any other subquery.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import all_of, any_of
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import settle
from antiphon.controller.sql.binding.scope import EXACT
from antiphon.controller.sql.parsing.syntax import quantified_list, quantified_query
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.schema import BOOLEAN, TEXT, list_of

if TYPE_CHECKING:
    from antiphon.controller.sql.scalars.scalar import Scalars

Test = Callable[[list[exp.Expr]], exp.Expr]  # of the columns of a row

_ROWS: Final = "antiphon_rows"  # no name of a user begins so


def quantified_text(scalars: Scalars, node: exp.Expr) -> Expression:
    """`c LIKE ANY (...)`, with ALL too, of a list or a query; other operators of text as well."""
    quantified = quantified_list(node)
    assert quantified is not None, "ANY or ALL"
    members, with_all = quantified

    def test(columns: list[exp.Expr]) -> exp.Expr:
        made = node.copy()
        made.set("expression", columns[0])
        return made

    query = quantified_query(node)
    if query is not None:
        return scalars.lower(over_rows(query, 1, test, with_all=with_all))
    if isinstance(members, exp.Array):
        return _of_members(scalars, members.expressions, test, with_all=with_all)
    known = settle(scalars.source, members, scalars.typed(members), list_of(TEXT))
    if known.type.element is None:
        message = f"ANY or ALL needs a list, not {known.type}"
        raise scalars.source.mismatch(members, message)
    if isinstance(known, Literal):
        if known.value is None:
            return Literal(value=None, type=BOOLEAN)
        assert isinstance(known.value, tuple), "a list"
        texts: list[exp.Expr] = [
            exp.Null() if v is None else exp.Literal.string(v) for v in known.value
        ]
        return _of_members(scalars, texts, test, with_all=with_all)
    rows = exp.Select(expressions=[exp.Anonymous(this="unnest", expressions=[members.copy()])])
    is_null = exp.Is(this=exp.Paren(this=members.copy()), expression=exp.Null())
    arm = exp.If(this=is_null, true=exp.Null())
    whole = exp.Case(ifs=[arm], default=over_rows(rows, 1, test, with_all=with_all))
    return scalars.lower(whole)


def _of_members(
    scalars: Scalars, members: list[exp.Expr], test: Test, *, with_all: bool
) -> Expression:
    parts = [scalars.predicate(test([member.copy()])) for member in members]
    return fold(all_of(parts) if with_all else any_of(parts))


def over_rows(query: exp.Expr, width: int, test: Test, *, with_all: bool) -> exp.Subquery:
    """Whether `test` is true of any row of the query, or of all; null where that hangs on rows of
    which it is null."""
    found = test(_columns(width))
    wanted = exp.Not(this=exp.Paren(this=found)) if with_all else found
    unknown = exp.Is(this=exp.Paren(this=found.copy()), expression=exp.Null())
    arms = [
        exp.If(this=_is_any(wanted), true=exp.Boolean(this=not with_all)),
        exp.If(this=_is_any(unknown), true=exp.Null()),
    ]
    value = exp.Case(ifs=arms, default=exp.Boolean(this=with_all))
    return exp.Subquery(this=_selecting(value, query, width))


def row_of(query: exp.Expr, width: int) -> exp.Tuple:
    """The one row of the query, value by value; nulls where there is none."""
    whole = exp.Subquery(this=_selecting(exp.Tuple(expressions=_columns(width)), query, width))
    fields = [
        exp.Dot(this=exp.Paren(this=whole.copy()), expression=exp.to_identifier(f"f{place + 1}"))
        for place in range(width)
    ]
    return exp.Tuple(expressions=fields)


def _is_any(condition: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="bool_or", expressions=[condition])


def _names(width: int) -> list[exp.Expr]:
    return [exp.to_identifier(f"{_ROWS}_{place}", quoted=True) for place in range(width)]


def _columns(width: int) -> list[exp.Expr]:
    table = exp.to_identifier(_ROWS, quoted=True)
    return [exp.Column(this=name, table=table.copy()) for name in _names(width)]


def _selecting(value: exp.Expr, query: exp.Expr, width: int) -> exp.Select:
    inner = query.this if isinstance(query, exp.Subquery) else query
    table = exp.to_identifier(_ROWS, quoted=True)
    alias = exp.TableAlias(this=table, columns=_names(width))
    alias.set(EXACT, True)
    rows = exp.Subquery(this=inner.copy(), alias=alias)
    return exp.Select(expressions=[value], from_=exp.From(this=rows))
