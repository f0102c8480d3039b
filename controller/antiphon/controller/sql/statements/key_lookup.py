"""Reads of one index in which only rows with given keys matter: they are looked up.

A filter that fixes all key columns gives the keys, and so does a join with rows that are known. So
what INSERT ... ON CONFLICT asks of a table, or an UPDATE from VALUES, costs what it changes, where
there is an index with the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Final

import pyarrow as pa

from antiphon.controller.catalog import Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.algebra.constants import batch_of
from antiphon.controller.sql.algebra.plans import computed, identity, walk_plan
from antiphon.controller.sql.rewriting.fuse import fuse
from antiphon.controller.sql.rewriting.optimize import pinned_columns
from antiphon.protocol.codec.plan import plan_to_bytes
from antiphon.protocol.command import IndexTarget
from antiphon.protocol.expression import ColumnReference, Expression, Value
from antiphon.protocol.plan import Constant, Get, Join, JoinKind, MapFilterProject, Plan

KEYS_MAX: Final = 1_000  # of a filter; more are read as a filter over the whole index
JOINED_KEYS_MAX: Final = 10_000  # of known rows; more are joined with the whole index
# Whose rows without a match leave no trace: those of both sides, of the right one, or of neither.
_BOTH: Final = (JoinKind.INNER, JoinKind.SEMI)
_RIGHT: Final = (JoinKind.LEFT, JoinKind.ANTI)


def index_target(plan: Plan, catalog: Catalog) -> IndexTarget | None:
    """The read of one index: by key, or of all its rows where the plan is a filter of them."""
    gets = [node for node in walk_plan(plan) if isinstance(node, Get)]
    if len(gets) != 1:
        return None
    item = catalog.get(gets[0].collection)
    if item.kind is not ItemKind.INDEX:
        return None
    node = plan if isinstance(plan, MapFilterProject) else None
    if (plan if node is None else node.input) is gets[0]:
        return IndexTarget(collection=item.id) if node is None else _filtered(node, item)
    for found in walk_plan(plan):
        keys = _joined_keys(found, item) if isinstance(found, Join) else None
        if keys is not None:
            return IndexTarget(collection=item.id, keys=keys, plan=plan_to_bytes(plan))
    return None


def key_stream(index: CatalogItem, keys: pa.RecordBatch) -> bytes:
    """Rows of an index's key columns as an Arrow IPC stream."""
    assert keys.num_columns == len(index.key_columns), f"{keys.num_columns} columns for {index}"
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, keys.schema) as writer:
        writer.write_batch(keys)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


# By a filter.


def _filtered(node: MapFilterProject, item: CatalogItem) -> IndexTarget:
    keys = _pinned_keys(node, item)
    if keys is None:
        return IndexTarget(collection=item.id, plan=plan_to_bytes(node))
    rest = replace(node, filters=_without(node.filters, frozenset(item.key_columns)))
    whole = not rest.maps and not rest.filters and rest.project == identity(len(item.schema))
    return IndexTarget(collection=item.id, keys=keys, plan=None if whole else plan_to_bytes(rest))


def _pinned_keys(node: MapFilterProject, index: CatalogItem) -> bytes | None:
    """The keys that the filters ask for, in the order of the key columns."""
    pinned = pinned_columns(node.filters)
    if not index.key_columns or any(column not in pinned for column in index.key_columns):
        return None
    choices = [pinned[column] for column in index.key_columns]
    count = 1
    for options in choices:
        count *= len(options)
    if count > KEYS_MAX:
        return None
    return _stream(index, [tuple(literal.value for literal in row) for row in product(*choices)])


def _without(filters: tuple[Expression, ...], columns: frozenset[int]) -> tuple[Expression, ...]:
    """The filters that the key does not already answer: not the first that pins each column."""
    answered: set[int] = set()
    rest: list[Expression] = []
    for part in filters:
        column = next(iter(pinned_columns((part,))), None)
        if column in columns and column not in answered:
            answered.add(column)
        else:
            rest.append(part)
    return tuple(rest)


# By a join.


def _joined_keys(join: Join, index: CatalogItem) -> bytes | None:
    """The keys of known rows with which the index's are joined, if no other row of it matters."""
    if join.nulls_match or join.null_aware:
        return None
    if isinstance(join.left, Constant) and join.kind in (*_BOTH, *_RIGHT):
        known, known_keys, own, own_keys = join.left, join.left_keys, join.right, join.right_keys
    elif isinstance(join.right, Constant) and join.kind in _BOTH:
        known, known_keys, own, own_keys = join.right, join.right_keys, join.left, join.left_keys
    else:
        return None
    places = _places(own, own_keys, index)
    if places is None or not index.key_columns or len(known.rows) > JOINED_KEYS_MAX:
        return None
    asked = fuse(computed(known, known_keys))
    if not isinstance(asked, Constant):
        return None  # a replica computes them
    rows = [tuple(values[place] for place in places) for values, _ in asked.rows]
    return _stream(index, [row for row in rows if not any(value is None for value in row)])


def _places(own: Plan, own_keys: Sequence[Expression], index: CatalogItem) -> list[int] | None:
    """Where among the join's keys each key column of the index is; None: not all of them are."""
    project: Sequence[int] = identity(len(index.schema))
    if isinstance(own, MapFilterProject):
        project, own = own.project, own.input
    if not isinstance(own, Get):
        return None
    found: dict[int, int] = {}
    for place, key in enumerate(own_keys):
        if isinstance(key, ColumnReference):
            found.setdefault(project[key.index], place)
    if any(column not in found for column in index.key_columns):
        return None
    return [found[column] for column in index.key_columns]


def _stream(index: CatalogItem, rows: Sequence[tuple[Value, ...]]) -> bytes:
    return key_stream(index, batch_of(index.schema.project(index.key_columns), rows))
