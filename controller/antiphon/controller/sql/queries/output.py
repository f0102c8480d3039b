"""The columns of a select list, and what a star in it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from antiphon.controller.sql.binding.coercion import Typed
from antiphon.controller.sql.binding.scope import Scope, inseparable
from antiphon.controller.sql.parsing.source import Source, near_miss
from antiphon.controller.sql.parsing.syntax import PUBLIC, expect_only, name_of
from antiphon.controller.sql.queries.ordering import Shown, output_position
from antiphon.controller.sql.scalars.scalar import Scalars


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A column of the select list."""

    name: str
    value: Typed
    node: exp.Expr
    nullable: bool = True


def shown_by(outputs: Sequence[Output]) -> Shown:
    """The columns as what ORDER BY, GROUP BY and DISTINCT ON may name."""
    return Shown([output.name for output in outputs], [output.value for output in outputs])


def with_names(source: Source, node: exp.Expr, known: Scope, outputs: Sequence[Output]) -> exp.Expr:
    """An expression with names of the select list, where they are no columns, spelled out."""
    whole: exp.Expr = exp.Paren(this=node.copy())
    inside = list(whole.walk(prune=lambda part: isinstance(part, exp.Query)))
    for part in inside:
        if not isinstance(part, exp.Column) or part.args.get("table"):
            continue
        if isinstance(part.this, exp.Identifier) and not known.find(name_of(part.this), None):
            place = output_position(source, part, shown_by(outputs))
            if place is not None:
                part.replace(exp.Paren(this=outputs[place].node.copy()))
    inner: exp.Expr = whole.this
    return inner


def is_star(node: exp.Expr) -> bool:
    """`*` or `table.*`."""
    return isinstance(node, exp.Star) or (
        isinstance(node, exp.Column) and isinstance(node.this, exp.Star)
    )


def star_outputs(
    scalars: Scalars, scope: Scope, outer: Scope | None, node: exp.Expr
) -> list[Output]:
    """What a star stands for: its columns, less those that EXCLUDE (or EXCEPT) names, with what
    REPLACE gives in place of some, and other names by RENAME; as in DuckDB.

    Raises:
        InvalidSql: there is nothing that it could stand for; a column that is not there, or is
            changed twice.
    """
    source = scalars.source
    star = node if isinstance(node, exp.Star) else node.this
    if star is not node:
        is_public = node.args.get("db") is not None and name_of(node.args["db"]) == PUBLIC
        expect_only(source, node, "this", "table", *(["db"] if is_public else []))
    expect_only(source, star, "except_", "replace", "rename")
    plain = _columns(source, scope, outer, node)
    excluded = [_name(part) for part in star.args.get("except_") or ()]
    replaced = {_alias(part): part.this for part in star.args.get("replace") or ()}
    renamed = {_name(part.this): _alias(part) for part in star.args.get("rename") or ()}
    _check_names(source, node, plain, [*excluded, *replaced, *renamed])
    kept = [output for output in plain if output.name not in excluded]
    if not kept:
        raise source.invalid(node, "EXCLUDE leaves no column")

    def changed(output: Output) -> Output:
        name, value = renamed.get(output.name, output.name), replaced.get(output.name)
        if value is None:
            return replace(output, name=name)
        return Output(name=name, value=scalars.typed(value), node=value)

    return [changed(output) for output in kept]


def _columns(source: Source, scope: Scope, outer: Scope | None, node: exp.Expr) -> list[Output]:
    table = node.args.get("table")
    qualifier = None if table is None else name_of(table)
    columns = scope.star(qualifier)
    if not columns and qualifier and outer and outer.star(qualifier):
        raise inseparable(source, node)
    for column in columns:
        column.note()
    if not columns:
        what = f'"{qualifier}" is not a table here'
        if table is None:
            what = "SELECT * without FROM"
        raise source.invalid(node, what)
    return [Output(name=c.name, value=c.reference, node=node, nullable=c.nullable) for c in columns]


def _check_names(
    source: Source, node: exp.Expr, plain: Sequence[Output], changed: Iterable[str]
) -> None:
    seen: set[str] = set()  # membership only
    names = [output.name for output in plain]
    for name in changed:
        if name not in names:
            raise source.invalid(node, f'column "{name}" does not exist{near_miss(name, names)}')
        if name in seen:
            raise source.invalid(node, f'column "{name}" is changed twice')
        seen.add(name)


def _alias(node: exp.Expr) -> str:
    return name_of(node.args["alias"])


def _name(node: exp.Expr) -> str:
    return name_of(node.this if isinstance(node, exp.Column) else node)
