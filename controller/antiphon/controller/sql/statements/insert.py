"""INSERT: rows, of values or of a query, and what stands in columns that nothing is given for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from antiphon.controller.catalog import Catalog, CatalogItem
from antiphon.controller.sql.algebra.constants import batch_of
from antiphon.controller.sql.algebra.expressions import null
from antiphon.controller.sql.algebra.plans import ONE_ROW, computed
from antiphon.controller.sql.binding.coercion import assign, explicit_cast
from antiphon.controller.sql.binding.relation import Context
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.queries.query import QueryLowering
from antiphon.controller.sql.rewriting.optimize import optimized
from antiphon.controller.sql.statement import Insert, InsertSelect, Returning, Statement
from antiphon.controller.sql.statements.change import as_written, signed_rows
from antiphon.controller.sql.statements.column_definitions import positions_of
from antiphon.controller.sql.statements.defaults import default_of, is_constant, with_defaults
from antiphon.controller.sql.statements.dml import check_changeable, whole_read
from antiphon.controller.sql.statements.insert_tail import Tail, tail_of
from antiphon.controller.sql.statements.item_names import find_relation
from antiphon.controller.sql.statements.on_conflict import conflict_of, unless_present, with_merge
from antiphon.controller.sql.statements.returning import Changed, answer_schema, with_returning
from antiphon.controller.sql.statements.text_lengths import fitted, fitted_plan, length_of
from antiphon.controller.sql.statements.values import read_rows
from antiphon.protocol.errors import ConstraintViolation
from antiphon.protocol.expression import Expression, Literal, Value
from antiphon.protocol.literal_array import literal_array
from antiphon.protocol.plan import Constant, Plan
from antiphon.protocol.schema import Type


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where rows go: `positions`, the columns that are given, in that order; `defaults`, of all."""

    source: Source
    catalog: Catalog
    item: CatalogItem
    alias: str
    positions: tuple[int, ...]
    defaults: tuple[Expression, ...]
    now_us: int | None
    tables: exp.Expr | None  # WITH before INSERT

    @property
    def missing(self) -> list[Expression]:
        """The defaults of columns that are not given."""
        given = set(self.positions)  # membership only
        return [value for index, value in enumerate(self.defaults) if index not in given]


def plan_insert(
    source: Source,
    cursor: Cursor,
    catalog: Catalog,
    now_us: int | None,
    tables: exp.Expr | None = None,
) -> Statement:
    """The statement after INSERT; `tables`: WITH before it, which its query may read."""
    cursor.expect("INTO")
    start = cursor.peek().start
    item = find_relation(source, catalog, cursor.name("the table"), start)
    check_changeable(source, start, item)
    alias = cursor.new_name("the alias") if cursor.accept("AS") else item.name
    positions = tuple(range(len(item.schema)))
    if cursor.peek().upper == "(" and not _is_query(cursor):
        positions = positions_of(source, cursor.names("a column"), item.schema)
    if cursor.peek().upper == "OVERRIDING":
        raise source.unsupported(cursor.peek().start, "INSERT ... OVERRIDING")
    # Those that are not needed are not computed: reading them takes as long as a few rows.
    spelled = "DEFAULT" in source.piece.text.upper()
    defaults = tuple(
        default_of(item, index, now_us) if spelled or index not in positions else null(kind)
        for index, kind in enumerate(item.schema.types)
    )
    target = _Target(
        source=source, catalog=catalog, item=item, alias=alias, positions=positions,
        defaults=defaults, now_us=now_us, tables=tables,
    )  # fmt: skip
    query_start = cursor.peek().start
    tail = tail_of(source, query_start)
    if cursor.accept("DEFAULT", "VALUES"):
        if positions != tuple(range(len(item.schema))):
            raise source.invalid(query_start, "DEFAULT VALUES takes no list of columns")
        return _planned(target, computed(ONE_ROW, target.defaults), tail)
    if cursor.accept("VALUES"):
        given = [item.schema.columns[index] for index in positions]
        meant = [target.defaults[index] for index in positions]
        plain = read_rows(source.until(tail.stop), cursor.peek().start, given, meant)
        if plain is not None and is_constant(target.missing):
            columns, count = plain
            whole = _whole_columns(target, columns, count)
            if tail.conflict is None and tail.returning is None:
                return _insert_rows(item, whole)
            rows = fitted_plan(source, query_start, item, _constant(item, whole))
            return _planned(target, rows, tail)
    if cursor.peek().start >= tail.stop:
        raise cursor.unexpected("VALUES or a query")
    return _planned(target, _query(target, query_start, tail.stop), tail)


def _is_query(cursor: Cursor) -> bool:
    """Whether the parenthesis that comes next opens a query and not a list of columns."""
    ahead = Cursor(cursor.source, cursor.peek().stop)
    return ahead.peek().upper in ("SELECT", "WITH", "VALUES", "(")


def _whole_columns(
    target: _Target, columns: Sequence[list[Value]], count: int
) -> list[list[Value]]:
    """Values for all columns of the table."""
    given = dict(zip(target.positions, columns, strict=True))
    result: list[list[Value]] = []
    for index, default in enumerate(target.defaults):
        if index in given:
            result.append(given[index])
        else:
            assert isinstance(default, Literal), "what is no constant is not filled in here"
            result.append([default.value] * count)
    return result


def _insert_rows(item: CatalogItem, columns: Sequence[list[Value]]) -> Insert:
    arrays = [
        literal_array(kind, values) for kind, values in zip(item.schema.types, columns, strict=True)
    ]
    return Insert(item=item, rows=signed_rows(item, arrays, 1))


def _constant(item: CatalogItem, columns: Sequence[list[Value]]) -> Constant:
    return Constant(schema=item.schema, rows=tuple((row, 1) for row in zip(*columns, strict=True)))


def _query(target: _Target, start: int, stop: int) -> Plan:
    """The rows of a query, with all columns of the table."""
    source, item = target.source, target.item
    node = parse(source, start, stop)
    if target.tables is not None:
        if node.args.get("with_") is not None:
            raise source.unsupported(
                node, "WITH before INSERT and before its query", "; say it once"
            )
        node.set("with_", target.tables)
    context = Context(source=source, catalog=target.catalog, place="INSERT", now_us=target.now_us)
    wanted: tuple[Type, ...] = ()
    if isinstance(node, exp.Values):
        if node.args.get("alias") is not None:
            # The parser takes a word behind the rows for their name.
            word = node.args["alias"].name
            raise source.invalid(node.args["alias"], f'syntax error near "{word}"')
        with_defaults(item, target.positions, node)
        wanted = tuple(item.schema.types[index] for index in target.positions)
    query = QueryLowering(context=context, targets=wanted).lower(node)
    if len(query.columns) != len(target.positions):
        message = f"the query has {len(query.columns)} columns for {len(target.positions)}"
        raise source.invalid(start, f"{message} of the table")
    outputs = list(target.defaults)
    given: set[int] = set()  # membership only
    for answer, index in zip(query.columns, target.positions, strict=True):
        column = item.schema.columns[index]
        given.add(index)
        if answer.index in query.unknown:
            # Quoted literals: their text becomes what the column is.
            outputs[index] = explicit_cast(source, start, answer.reference, column.type)
        else:
            outputs[index] = assign(source, start, answer.reference, column.type, column.name)
        outputs[index] = fitted(source, start, outputs[index], length_of(item, index))
    for index, column in enumerate(item.schema.columns):
        value = outputs[index]
        is_null = isinstance(value, Literal) and value.value is None
        if index not in given and is_null and not column.nullable:
            raise ConstraintViolation(
                f'column "{column.name}" of "{item.name}" is NOT NULL, and no value is given',
                column=column.name, name=item.name,
            )  # fmt: skip
    return computed(query.finished(), outputs)


def _planned(target: _Target, rows: Plan, tail: Tail) -> Statement:
    """The statement that inserts the rows of a plan."""
    source, catalog, item = target.source, target.catalog, target.item
    if tail.conflict is not None:
        conflict = conflict_of(source, tail.stop, tail.conflict, item)
        if conflict.updates:
            return with_merge(
                source, catalog, item, target.alias, rows, conflict, tail.returning, target.now_us
            )
        rows = unless_present(catalog, item, rows)
    shown: Returning | None = None
    width = len(item.schema)
    if tail.returning is not None:
        context = Context(source=source, catalog=catalog, place="INSERT", now_us=target.now_us)
        changed = Changed(item=item, name=target.alias, plan=rows, kept=width, old=None, new=0)
        rows, shown = with_returning(context, tail.returning, changed)
    plan = optimized(rows, catalog, maintained=False)
    return insertion_of(item, plan, catalog, shown)


def insertion_of(
    item: CatalogItem, plan: Plan, catalog: Catalog, shown: Returning | None = None
) -> Insert | InsertSelect:
    """What appends the rows of an optimised plan: the item's columns, and those of RETURNING."""
    width = len(item.schema)
    if isinstance(plan, Constant):
        found = [values for values, count in plan.rows for _ in range(count)]
        made = _insert_rows(item, [[row[i] for row in found] for i in range(width)])
        if shown is None:
            return made
        answer = batch_of(shown.schema, [row[width:] for row in found])
        answer = as_written(item, made.rows.columns, answer)
        return replace(made, returning=replace(shown, rows=answer))
    read = whole_read(plan, answer_schema(item.schema, shown), catalog)
    return InsertSelect(item=item, read=read, returning=shown)
