"""The graph of operators under construction, and the small pieces that plans are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.outer_sides import Order, comes_last
from antiphon.protocol.plan import Plan
from antiphon.protocol.schema import Schema, Type
from antiphon.protocol.selection import Selected
from antiphon.replica.dataflow.expressions.evaluate import columns_of
from antiphon.replica.dataflow.operators.arrange import Arrange, Arranged
from antiphon.replica.dataflow.operators.imported import Imported
from antiphon.replica.dataflow.operators.interval_parts import OneSpelling, WithParts
from antiphon.replica.dataflow.operators.joining.join import (
    LEFT,
    RIGHT,
    Join,
    Unmatched,
    bringing_side,
)
from antiphon.replica.dataflow.operators.joining.range_join import Bounds, RangeJoin
from antiphon.replica.dataflow.operators.linear import MapFilterProject, Negated, Source, Sum
from antiphon.replica.dataflow.operators.operator import Operator
from antiphon.replica.dataflow.operators.recursion import Round
from antiphon.replica.dataflow.operators.reducing.distinct import Distinct

Node = int


@dataclass(frozen=True, slots=True)
class Keyed:
    """A node and where its key is. `width`: its columns, computed keys included. `loose`: columns
    of the key that may be equal without being the same."""

    node: Node
    width: int
    keys: tuple[int, ...]
    loose: frozenset[int] = frozenset()


@dataclass(slots=True)
class Graph:
    """Operators and the nodes each reads; a node's inputs come before it."""

    operators: list[Operator] = field(default_factory=list)
    inputs: list[tuple[Node, ...]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    # Columns by which the rows of a node's change differ, so that the others may be dropped.
    identities: list[tuple[int, ...] | None] = field(default_factory=list)  # None: all
    sources: dict[CollectionId, Node] = field(default_factory=dict)
    # Makes the dataflow of a plan that stands within this one, over inputs of these columns.
    nested: Callable[[Plan, Mapping[CollectionId, Schema]], Round] | None = None
    shares: bool = False  # imports may be looked up where they are arranged for all who read them
    # Columns of an import, of all its rows or those that are selected, and nothing else.
    imports: dict[Node, Selected] = field(default_factory=dict)
    # In which imports are filled: those that are outer sides after what they are joined with.
    order: Order = field(default_factory=dict)
    # Nodes and keys of outer sides that cannot come last, and are arranged here alone.
    apart: set[tuple[Node, tuple[int, ...]]] = field(default_factory=set)
    bringing: set[Node] = field(default_factory=set)  # those of `Imported` whose content must come
    reads: dict[Node, frozenset[int]] = field(default_factory=dict)  # columns of a row-wise input
    _ranges: dict[tuple[Node, Node, Bounds, Bounds], Node] = field(default_factory=dict)
    _arrangements: dict[tuple[Node, tuple[int, ...], bool, bool], tuple[Node, Arranged]] = field(
        default_factory=dict
    )

    def add(
        self,
        name: str,
        operator: Operator,
        inputs: tuple[Node, ...],
        identity: tuple[int, ...] | None = None,
    ) -> Node:
        assert all(node < len(self.operators) for node in inputs), "an input that comes later"
        self.operators.append(operator)
        self.inputs.append(inputs)
        self.names.append(name)
        self.identities.append(identity)
        return len(self.operators) - 1

    def source(self, collection: CollectionId, width: int) -> Node:
        known = self.sources.get(collection)
        if known is None:
            known = self.add(f"source {show(collection)}", Source(), ())
            self.sources[collection] = known
            self.imports[known] = Selected(collection, tuple(range(width)))
        return known

    def mapped(
        self,
        node: Node,
        width: int,
        maps: Sequence[Expression],
        filters: Sequence[Expression],
        project: Sequence[int],
    ) -> Node:
        if not filters and tuple(project) == tuple(range(width)):
            return node
        identity = _kept(self._identity(node, width), project)
        keeps = identity is not None
        operator = MapFilterProject(width, maps, filters, project, keeps_distinct=keeps)
        found = self.add("map_filter_project", operator, (node,), identity)
        read = set(project).union(*(columns_of(part) for part in (*maps, *filters)))
        self.reads[found] = frozenset(column for column in read if column < width)
        if node in self.imports and not maps:
            selected = self.imports[node].narrowed(filters, project)
            if selected is not None:
                self.imports[found] = selected
        return found

    def projected(self, node: Node, width: int, project: Sequence[int]) -> Node:
        return self.mapped(node, width, (), (), project)

    def filtered(self, node: Node, width: int, condition: Expression | None) -> Node:
        """For a part of a join, which nobody else has: not to be arranged for all."""
        if condition is None:
            return node
        found = self.mapped(node, width, (), (condition,), range(width))
        self.imports.pop(found, None)
        return found

    def shaped(self, node: Node, width: int, columns: Sequence[Expression]) -> Node:
        """The input as these columns."""
        maps: list[Expression] = []
        project = []
        for expression in columns:
            if isinstance(expression, ColumnReference):
                project.append(expression.index)
            else:
                project.append(width + len(maps))
                maps.append(expression)
        return self.mapped(node, width, maps, (), project)

    def keyed(self, node: Node, types: Sequence[Type], keys: Sequence[Expression]) -> Keyed:
        """The input, computed keys behind its columns."""
        columns: list[Expression] = [
            ColumnReference(index=i, type=kind) for i, kind in enumerate(types)
        ]
        indices = []
        for key in keys:
            if isinstance(key, ColumnReference):
                indices.append(key.index)
            else:
                indices.append(len(columns))
                columns.append(key)
        loose = [i for i, key in zip(indices, keys, strict=True) if key.type.has_intervals]
        shaped = self.shaped(node, len(types), columns)
        return Keyed(shaped, len(columns), tuple(indices), frozenset(loose))

    def _identity(self, node: Node, width: int) -> tuple[int, ...]:
        known = self.identities[node]
        return tuple(range(width)) if known is None else known

    def sum(self, *nodes: Node) -> Node:
        return self.add("union", Sum(), nodes)

    def negated(self, node: Node) -> Node:
        return self.add("negate", Negated(), (node,))

    def minus(self, node: Node, less: Node) -> Node:
        return self.sum(node, self.negated(less))

    def distinct(self, node: Node) -> Node:
        """Of rows without intervals, or of keys that nobody is shown."""
        return self.add("distinct", Distinct(once=True), (node,))

    def distinct_keys(self, node: Node, types: Sequence[Type], keys: Sequence[Expression]) -> Keyed:
        """The keys that a node's rows have, each once, for who only looks them up."""
        shaped = self.shaped(node, len(types), keys)
        if any(key.type.has_intervals for key in keys):
            shaped = self.add("one_spelling", OneSpelling(), (shaped,))
        return keyed_by_all(self.distinct(shaped), len(keys))

    def with_parts(self, node: Node, types: Sequence[Type], columns: Sequence[int]) -> Node:
        """One column more, if any of `columns` have intervals: see `WithParts`."""
        found = [column for column in columns if types[column].has_intervals]
        if not found:
            return node
        identity = self._identity(node, len(types))
        return self.add("with_parts", WithParts(found), (node,), identity)

    def arranged(self, keyed: Keyed, *, drop_nulls: bool) -> tuple[Node, Arranged]:
        """One arrangement for all who look a node up by the same columns."""
        return self._known(keyed, drop_nulls, lambda: Arrange(keyed.keys, drop_nulls=drop_nulls))

    def _looked_up(self, keyed: Keyed, *, drop_nulls: bool, own: bool) -> tuple[Node, Arranged]:
        """Where others arrange it, if it is an import; `own`: not there."""
        imported = self.imports.get(keyed.node)
        if own or not self.shares or imported is None:
            return self.arranged(keyed, drop_nulls=drop_nulls)
        return self._known(
            keyed,
            drop_nulls,
            lambda: Imported(imported, keyed.keys, drop_nulls=drop_nulls),
            is_shared=True,
        )

    def _known(
        self,
        keyed: Keyed,
        drop_nulls: bool,
        make: Callable[[], Arrange | Imported],
        *,
        is_shared: bool = False,
    ) -> tuple[Node, Arranged]:
        key = (keyed.node, keyed.keys, drop_nulls, is_shared)
        known = self._arrangements.get(key)
        if known is None:
            operator = make()
            node = self.add("arrange", operator, (keyed.node,), self.identities[keyed.node])
            known = self._arrangements[key] = (node, operator)
        return known

    def lookup(
        self,
        left: Keyed,
        right: Keyed,
        output: Sequence[tuple[int, int]],
        *,
        nulls_match: bool,
        own: Sequence[int] = (),
    ) -> Node:
        """The inner join, as (side, column) pairs. `own`: outer sides, for which `unmatched` was
        asked before: one that is arranged here anyway is looked up here."""
        left, right = self._ordered(left, right, (right, left))
        drop = not nulls_match
        apart = [side in own and (each.node, each.keys) in self.apart
                 for side, each in ((LEFT, left), (RIGHT, right))]  # fmt: skip
        left_node, left_side = self._looked_up(left, drop_nulls=drop, own=apart[LEFT])
        right_node, right_side = self._looked_up(right, drop_nulls=drop, own=apart[RIGHT])
        bringing = bringing_side(left_side, right_side)
        if bringing is not None:
            self.bringing.add(left_node if bringing == LEFT else right_node)
        differ = [(LEFT, i) for i in self._identity(left.node, left.width)]
        # The right key equals the left one, so it tells nothing more.
        told = set(right.keys) - right.loose
        others = [i for i in self._identity(right.node, right.width) if i not in told]
        identity = _kept([*differ, *((RIGHT, i) for i in others)], output)
        operator = Join(left_side, right_side, output, keeps_distinct=identity is not None)
        return self.add("join", operator, (left_node, right_node), identity)

    def _ordered(self, left: Keyed, right: Keyed, by: Sequence[Keyed]) -> tuple[Keyed, Keyed]:
        """The pairs of keys in the order of an import's columns, the first of `by` that is one:
        however a condition is written, it is the same arrangement."""
        first = next((side for side in by if side.node in self.imports), None)
        if not self.shares or first is None or len(first.keys) < 2:
            return left, right
        columns = self.imports[first.node].columns
        order = sorted(range(len(first.keys)), key=lambda place: columns[first.keys[place]])
        return _reordered(left, order), _reordered(right, order)

    def ranged(self, left: Node, right: Node, ours: Bounds, theirs: Bounds) -> Node:
        """All pairs of rows whose intervals overlap; equal ones of one pair of nodes are one."""
        key = (left, right, ours, theirs)
        known = self._ranges.get(key)
        if known is None:
            known = self.add("range_join", RangeJoin(ours, theirs), (left, right))
            self._ranges[key] = known
        return known

    def unmatched(
        self, left: Keyed, keys: Keyed, width: int, *, nulls_match: bool, by: Sequence[Keyed]
    ) -> Node:
        """The first `width` columns of the left rows whose key is not among the distinct keys.
        `by`: whose order of keys is taken, as in the inner join of the same."""
        left, keys = self._ordered(left, keys, by)
        own = not self._comes_last(left.node, keys.node)
        if own:
            self.apart.add((left.node, left.keys))
        left_node, left_side = self._looked_up(left, drop_nulls=not nulls_match, own=own)
        keys_node, keys_side = self.arranged(keys, drop_nulls=not nulls_match)
        operator = Unmatched(width, left_side, keys_side)
        return self.add("unmatched", operator, (left.node, left_node, keys_node))

    def _comes_last(self, outer: Node, other: Node) -> bool:
        """Whether an import is filled after all that another node is made of."""
        if outer not in self.imports:
            return False
        found, stack = set(), [other]
        while stack:
            node = stack.pop()
            if node not in found:
                found.add(node)
                stack += self.inputs[node]
        others = frozenset(c for c, node in self.sources.items() if node in found)
        return comes_last(self.order, self.imports[outer].collection, others)


def keyed_by_all(node: Node, width: int) -> Keyed:
    """By columns that are the same where they are equal."""
    return Keyed(node, width, tuple(range(width)))


def _reordered(keyed: Keyed, order: Sequence[int]) -> Keyed:
    return replace(keyed, keys=tuple(keyed.keys[place] for place in order))


def _kept(identity: Sequence[object], project: Sequence[object]) -> tuple[int, ...] | None:
    """Where a projection has the columns of an identity; None if it lacks one."""
    if any(column not in project for column in identity):
        return None
    return tuple(project.index(column) for column in identity)
