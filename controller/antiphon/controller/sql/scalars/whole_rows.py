"""A table's name as a value: the whole row, as a struct.

A row that an outer join fills with nulls is none: its value is null, and count(t) does not count
it. So FROM gives a table whose name is written so a column that is there with the row, the marker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import TRUE, null
from antiphon.controller.sql.algebra.plans import extended
from antiphon.controller.sql.binding.relation import Context, Mentions, Relation
from antiphon.controller.sql.binding.scope import (
    MARKER,
    OUTER,
    SUBQUERIES,
    Scope,
    ScopeColumn,
    inseparable,
)
from antiphon.controller.sql.binding.types import check_depth
from antiphon.controller.sql.parsing.syntax import name_of
from antiphon.protocol.expression import Branch, Call, Case, Expression
from antiphon.protocol.schema import BOOLEAN, Column, struct_of

if TYPE_CHECKING:
    from antiphon.controller.sql.scalars.scalar import Scalars


def marked(context: Context, relation: Relation, alias: str, node: exp.Expr) -> Relation:
    """The relation with a marker, if its name may stand for a row somewhere in the statement."""
    root = node.root()
    mentions = next((known for known in context.mentions if known.root is root), None)
    if mentions is None:
        mentions = _mentions(root)
        context.mentions.append(mentions)
    is_column = bool(relation.scope.find(alias, None))
    if alias not in mentions.starred and (is_column or alias not in mentions.bare):
        return relation
    marker = ScopeColumn(
        name=MARKER, qualifier=alias, index=relation.width, type=BOOLEAN, visible=False
    )
    return replace(
        relation,
        plan=extended(relation.plan, [TRUE]),
        width=relation.width + 1,
        scope=Scope((*relation.scope.columns, marker)),
    )


def _mentions(root: exp.Expr) -> Mentions:
    bare: set[str] = set()
    starred: set[str] = set()
    for column in root.find_all(exp.Column):
        name = _names(column)
        if name is not None:
            (starred if isinstance(column.this, exp.Star) else bare).add(name)
    return Mentions(root=root, bare=frozenset(bare), starred=frozenset(starred))


def _names(column: exp.Column) -> str | None:
    """The table of which a column may be the whole row."""
    table = column.args.get("table")
    if isinstance(column.this, exp.Star):
        return None if table is None else name_of(table)
    return None if table is not None else name_of(column.this)


def whole_row(scalars: Scalars, node: exp.Expr) -> Expression | None:
    """`t` or `t.*` as a value; None: it is none, or a column is called so."""
    found = _fields(scalars, node)
    if found is None:
        return None
    marker = next((c for c in found if c.name == MARKER), None)
    if marker is None:
        what = f'"{found[0].qualifier}" as a whole row'
        raise scalars.source.unsupported(node, what, "; name its columns: ROW(a, b)")
    for column in found:
        column.note()
    parts = tuple(c.reference for c in found if c is not marker)
    names = [c.name for c in found if c is not marker]
    fields = (Column(name=n, type=p.type) for n, p in zip(names, parts, strict=True))
    kind = struct_of(*fields)
    check_depth(scalars.source, node, kind)
    whole = Call(function="struct", arguments=parts, type=kind)
    branch = Branch(condition=marker.reference, value=whole)
    return Case(branches=(branch,), otherwise=null(kind), type=kind)


def values_of_row(scalars: Scalars, node: exp.Expr) -> Sequence[exp.Expr] | None:
    """The columns of a whole row, of which a test for null asks each; None: it is none."""
    while isinstance(node, exp.Paren):
        node = node.this
    found = _fields(scalars, node) if isinstance(node, exp.Column) else None
    if found is None:
        return None

    def quoted(name: str | None) -> exp.Identifier | None:
        return exp.to_identifier(name, quoted=True)

    return [
        exp.Column(this=quoted(column.name), table=quoted(column.qualifier))
        for column in found
        if column.name != MARKER
    ]


def spelled_out(scalars: Scalars, nodes: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The values of a row, with `t.*` spelled out."""
    result: list[exp.Expr] = []
    for node in nodes:
        is_star = isinstance(node, exp.Column) and isinstance(node.this, exp.Star)
        values = values_of_row(scalars, node) if is_star else None
        result += [node] if values is None else values
    return result


def _fields(scalars: Scalars, node: exp.Expr) -> list[ScopeColumn] | None:
    """The columns of the table that is named, those of a query around as OUTER."""
    assert isinstance(node, exp.Column), f"not a name: {node!r}"
    name = _names(node)
    if name is None:
        return None
    bare = not isinstance(node.this, exp.Star)
    for scope, base in ((scalars.scope, 0), (scalars.outer, OUTER)):
        if scope is None:
            continue
        if bare and scope.find(name, None):
            return None
        found = [c for c in scope.columns if c.qualifier == name]
        nearest = min((c.level for c in found), default=0)
        found = [replace(c, index=base + c.index) for c in found if c.level == nearest]
        if any(column.index >= SUBQUERIES for column in found):
            raise inseparable(scalars.source, node)
        if found:
            return found
    return None
