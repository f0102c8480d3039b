"""Plans: a small relational algebra over typed multisets.

A plan is a tree of frozen nodes; `schema_of` gives each node's columns. It is stored as bytes when
a view is created and never planned again. Multiplicities are integers; a collection that a user
sees never has a negative one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, assert_never

from antiphon.protocol.expression import Expression, Literal, Value
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import INT64, Column, Schema, Type


class JoinKind(IntEnum):
    INNER = 1
    LEFT = 2
    RIGHT = 3
    FULL = 4
    SEMI = 5
    ANTI = 6


class AggregateFunction(IntEnum):
    COUNT = 1
    SUM = 2
    AVG = 3
    MIN = 4
    MAX = 5
    BOOL_AND = 6
    BOOL_OR = 7
    STRING_AGG = 8
    ARRAY_AGG = 9
    STDDEV_SAMP = 10
    STDDEV_POP = 11
    VAR_SAMP = 12
    VAR_POP = 13
    PERCENTILE_CONT = 14
    PERCENTILE_DISC = 15
    MODE = 16
    BIT_AND = 17
    BIT_OR = 18
    BIT_XOR = 19
    COVAR_POP = 20
    COVAR_SAMP = 21
    CORR = 22


# Of a list; of (first, last) or (first, last, step).
TABLE_FUNCTIONS: Final = frozenset({"unnest", "generate_series"})


class FrameUnit(IntEnum):
    ROWS = 1
    RANGE = 2
    GROUPS = 3


class FrameExclusion(IntEnum):
    NONE = 0
    CURRENT_ROW = 1
    GROUP = 2
    TIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """An imported collection."""

    collection: CollectionId
    schema: Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalGet:
    """A binding of an enclosing `Let` or `Recursion`."""

    binding: int
    schema: Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    schema: Schema
    rows: tuple[tuple[tuple[Value, ...], int], ...]  # (row, diff)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFilterProject:
    """Appends `maps` (each may use those before it), keeps rows where all filters are true, then
    the columns `project`, in that order."""

    input: Plan
    maps: tuple[Expression, ...]
    filters: tuple[Expression, ...]
    project: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Equi-join. Output: left columns, then right columns; semi and anti: left columns only."""

    kind: JoinKind
    left: Plan
    right: Plan
    left_keys: tuple[Expression, ...]
    right_keys: tuple[Expression, ...]
    nulls_match: bool = False
    residual: Expression | None = None  # over left columns, then right columns
    null_aware: bool = False  # anti only: NOT IN


@dataclass(frozen=True, slots=True, kw_only=True)
class SortKey:
    column: int
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """COUNT without arguments counts rows. `type` is the result's type. A second argument of
    STRING_AGG and of the percentiles is a literal."""

    function: AggregateFunction
    arguments: tuple[Expression, ...]
    type: Type
    distinct: bool = False
    filter: Expression | None = None
    order_by: tuple[SortKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduce:
    """One row per group: keys, then aggregates. Without keys: exactly one row, always."""

    input: Plan
    keys: tuple[Expression, ...]
    aggregates: tuple[Aggregate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    input: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class TopK:
    """The first `limit` rows after `offset` of each group; ties are broken by the row hash."""

    input: Plan
    group_by: tuple[int, ...]
    order_by: tuple[SortKey, ...]
    limit: int | None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Bounds are relative to the current row; None: unbounded. RANGE: -1, 0 or 1, the bound's side,
    and how far from the current row's value it is."""

    unit: FrameUnit
    start: int | None
    end: int | None
    start_distance: Literal | None = None
    end_distance: Literal | None = None
    exclude: FrameExclusion = FrameExclusion.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFunction:
    name: str
    arguments: tuple[Expression, ...]
    type: Type
    frame: Frame | None = None
    filter: Expression | None = None  # of an aggregate: which rows of the frame count


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The input's columns, then one column per function. Among peers the row hash decides."""

    input: Plan
    partition_by: tuple[int, ...]
    order_by: tuple[SortKey, ...]
    functions: tuple[WindowFunction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """The sum of multiplicities (UNION ALL). At least one input, all of one schema."""

    inputs: tuple[Plan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Negate:
    input: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Keeps rows whose multiplicity is positive."""

    input: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalFilter:
    """A row exists from `valid_from` until `valid_until` (exclusive); None: unbounded. A row with a
    bound that is null never exists. At time t, in ms, the clock says t rounded down to seconds."""

    input: Plan
    valid_from: Expression | None
    valid_until: Expression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFunction:
    """A function of a row that gives any number of values of `type`. `name` is one of
    TABLE_FUNCTIONS; argument types are those that it takes."""

    name: str
    arguments: tuple[Expression, ...]
    type: Type


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatMap:
    """For each row of the input as many rows as the longest of its functions gives: the input's
    columns, a column for each function (null past its end), and where they are counted, a bigint
    from 1. `keep_empty`: a row of which nothing comes is there once, with nulls."""

    input: Plan
    functions: tuple[TableFunction, ...]
    with_ordinality: bool = False
    keep_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Let:
    binding: int
    value: Plan
    body: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Recursion:
    """The least fixpoint of `value`, which may mention its own binding."""

    binding: int
    schema: Schema
    value: Plan
    body: Plan


Plan = (
    Get | LocalGet | Constant | MapFilterProject | Join | Reduce | Distinct | TopK | Window
    | Union | Negate | Threshold | TemporalFilter | FlatMap | Let | Recursion
)  # fmt: skip


def schema_of(plan: Plan) -> Schema:
    """The columns a node produces. Mapped and aggregated columns are unnamed and nullable."""
    match plan:
        case Get() | LocalGet() | Constant():
            return plan.schema
        case MapFilterProject():
            wide = schema_of(plan.input).columns + _unnamed(tuple(m.type for m in plan.maps))
            return Schema(wide).project(plan.project)
        case Join(kind=JoinKind.SEMI | JoinKind.ANTI):
            return schema_of(plan.left)
        case Join():
            return _join_schema(plan)
        case Reduce():
            types = tuple(k.type for k in plan.keys) + tuple(a.type for a in plan.aggregates)
            return Schema(_unnamed(types))
        case Window():
            return Schema(
                schema_of(plan.input).columns + _unnamed(tuple(f.type for f in plan.functions))
            )
        case FlatMap():
            types = tuple(f.type for f in plan.functions) + (INT64,) * plan.with_ordinality
            return Schema(schema_of(plan.input).columns + _unnamed(types))
        case Union():
            return schema_of(plan.inputs[0])
        case Let() | Recursion():
            return schema_of(plan.body)
        case Distinct() | TopK() | Negate() | Threshold() | TemporalFilter():
            return schema_of(plan.input)
        case _:
            assert_never(plan)


def _unnamed(types: tuple[Type, ...]) -> tuple[Column, ...]:
    return tuple(Column(name="", type=kind) for kind in types)


def _join_schema(join: Join) -> Schema:
    left, right = schema_of(join.left).columns, schema_of(join.right).columns
    if join.kind in (JoinKind.RIGHT, JoinKind.FULL):
        left = tuple(Column(name=c.name, type=c.type) for c in left)
    if join.kind in (JoinKind.LEFT, JoinKind.FULL):
        right = tuple(Column(name=c.name, type=c.type) for c in right)
    return Schema(left + right)


def children(plan: Plan) -> tuple[Plan, ...]:
    """A node's direct inputs, in the order of its fields."""
    match plan:
        case Get() | LocalGet() | Constant():
            return ()
        case Join():
            return (plan.left, plan.right)
        case Union():
            return plan.inputs
        case Let() | Recursion():
            return (plan.value, plan.body)
        case (
            MapFilterProject() | Reduce() | Distinct() | TopK() | Window() | Negate()
            | Threshold() | TemporalFilter() | FlatMap()
        ):  # fmt: skip
            return (plan.input,)
        case _:
            assert_never(plan)


def imports_of(plan: Plan) -> tuple[CollectionId, ...]:
    """The collections a plan reads, each once, in order of first mention."""
    seen: dict[CollectionId, None] = {}
    stack = [plan]
    while stack:
        node = stack.pop()
        if isinstance(node, Get):
            seen.setdefault(node.collection)
        stack.extend(reversed(children(node)))
    return tuple(seen)
