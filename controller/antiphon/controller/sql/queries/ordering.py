"""ORDER BY, LIMIT and OFFSET."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from antiphon.controller.sql.binding.coercion import Typed, coerce
from antiphon.controller.sql.binding.scope import Scope
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import expect_only, name_of
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.schema import INT64


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItem:
    """Sorts by an output (its position) or by another expression."""

    output: int | None
    value: Expression | None
    descending: bool
    nulls_first: bool
    node: exp.Expr


@dataclass(frozen=True, slots=True)
class Shown:
    """The columns of an answer, for what names them. `values`: what they are, by which two of one
    name may mean the same; None: they are all different."""

    names: Sequence[str]
    values: Sequence[Typed] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def called(self, name: str) -> list[int]:
        """The columns of that name, those that are equal to an earlier one left out."""
        found = [place for place, other in enumerate(self.names) if other == name]
        values = self.values
        if values is None:
            return found
        return [p for i, p in enumerate(found) if values[p] not in [values[q] for q in found[:i]]]


def sort_direction(node: exp.Expr) -> tuple[bool, bool]:
    """(descending, nulls first); nulls are the largest values unless it is said otherwise."""
    return bool(node.args.get("desc")), bool(node.args.get("nulls_first"))


def order_items(
    source: Source,
    order: exp.Expr | None,
    shown: Shown,
    lower: Callable[[exp.Expr], Expression] | None,
) -> list[OrderItem]:
    """What an ORDER BY sorts by: positions and names of outputs, then expressions by `lower`
    (None: refused, as over a set operation). ALL alone: by all outputs, from the left.

    Raises:
        InvalidSql: a position that is none, an ambiguous name.
    """
    nodes = [] if order is None else order.expressions
    if len(nodes) == 1 and _is_all(nodes[0].this):
        descending, nulls_first = sort_direction(nodes[0])
        return [
            OrderItem(
                output=output, value=None, descending=descending, nulls_first=nulls_first,
                node=nodes[0],
            )
            for output in range(len(shown))
        ]  # fmt: skip
    return [order_item(source, node, shown, lower) for node in nodes]


def order_item(
    source: Source,
    node: exp.Expr,
    shown: Shown,
    lower: Callable[[exp.Expr], Expression] | None,
) -> OrderItem:
    """One of `order_items`."""
    expect_only(source, node, "this", "desc", "nulls_first")
    descending, nulls_first = sort_direction(node)
    output = output_position(source, node.this, shown)
    value: Expression | None = None
    if output is None:
        if lower is None:
            raise source.invalid(
                node.this, "the order of a set operation is by a name or position of a column"
            )
        value = lower(node.this)
    return OrderItem(
        output=output, value=value, descending=descending, nulls_first=nulls_first, node=node
    )


def _is_all(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Column) or node.args.get("table"):
        return False
    word = node.this
    unquoted = isinstance(word, exp.Identifier) and not word.args.get("quoted")
    return unquoted and word.name.upper() == "ALL"


def output_position(source: Source, node: exp.Expr, shown: Shown) -> int | None:
    """The output that a bare number or an output's name means.

    Raises:
        InvalidSql: a position that is none, an ambiguous name.
    """
    while isinstance(node, exp.Paren):
        node = node.this
    negated = isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal)
    if negated or isinstance(node, exp.Literal | exp.Null):
        position = int(node.name) if not node.is_string and node.name.isdigit() else 0
        if negated or not 1 <= position <= len(shown):
            what = node.sql() if negated or node.name == "" else node.name
            raise source.invalid(node, f"position {what} is not one of the {len(shown)} columns")
        return position - 1
    if isinstance(node, exp.Column) and not node.args.get("table"):
        if not isinstance(node.this, exp.Identifier):
            return None
        found = shown.called(name_of(node.this))
        if len(found) > 1:
            raise source.invalid(node, f'"{name_of(node.this)}" is ambiguous: several columns are')
        return found[0] if found else None
    return None


def limit_and_offset(source: Source, node: exp.Expr) -> tuple[int | None, int]:
    """The LIMIT (or FETCH FIRST) and OFFSET of a query, None and 0 where there is none.

    Raises:
        InvalidSql: not a constant, or negative.
    """
    limit, offset = node.args.get("limit"), node.args.get("offset")
    return (
        None if limit is None else _limit(source, limit),
        0 if offset is None else _count(source, offset, offset.expression, "OFFSET") or 0,
    )


def keeps_ties(source: Source, node: exp.Expr) -> bool:
    """Whether rows that are equal in the order to the last one that is fetched are fetched too.

    Raises:
        InvalidSql: there is no order.
    """
    options = None
    if isinstance(limit := node.args.get("limit"), exp.Fetch):
        options = limit.args.get("limit_options")
    if options is None or not options.args.get("with_ties"):
        return False
    if node.args.get("order") is None:
        raise source.invalid(limit, "WITH TIES needs ORDER BY")
    return True


def _limit(source: Source, node: exp.Expr) -> int | None:
    if isinstance(node, exp.Fetch):
        options = node.args.get("limit_options")
        if options is not None and options.args.get("percent"):
            raise source.unsupported(node, "FETCH with PERCENT")
        return _count(source, node, node.args.get("count") or exp.Literal.number(1), "FETCH")
    expect_only(source, node, "expression")
    wanted = node.expression
    if isinstance(wanted, exp.Var) and wanted.name.upper() == "ALL":
        return None
    return _count(source, node, wanted, "LIMIT")


def _count(source: Source, clause: exp.Expr, node: exp.Expr, name: str) -> int | None:
    scalars = Scalars(source=source, scope=Scope(), place=name)
    value = coerce(source, node, scalars.typed(node), INT64, name)
    if not isinstance(value, Literal):
        raise source.invalid(clause, f"{name} takes a constant")
    if value.value is None:
        return None
    assert isinstance(value.value, int), "coerced to an integer"
    if value.value < 0:
        raise source.invalid(clause, f"{name} must not be negative")
    return value.value
