"""The graph of operators under construction, and the small pieces that plans are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Plan
from antiphon.protocol.schema import Schema, Type
from antiphon.replica.dataflow.operators.arrange import Arrange
from antiphon.replica.dataflow.operators.distinct import Distinct
from antiphon.replica.dataflow.operators.join import LEFT, RIGHT, Join, Unmatched
from antiphon.replica.dataflow.operators.linear import MapFilterProject, Negated, Source, Sum
from antiphon.replica.dataflow.operators.operator import Operator
from antiphon.replica.dataflow.operators.recursion import Round

Node = int


@dataclass(frozen=True, slots=True)
class Keyed:
    """A node and where its key is. `width`: its columns, computed keys included."""

    node: Node
    width: int
    keys: tuple[int, ...]


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
    _arrangements: dict[tuple[Node, tuple[int, ...], bool], tuple[Node, Arrange]] = field(
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

    def source(self, collection: CollectionId) -> Node:
        known = self.sources.get(collection)
        if known is None:
            known = self.add("source", Source(), ())
            self.sources[collection] = known
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
        return self.add("map_filter_project", operator, (node,), identity)

    def projected(self, node: Node, width: int, project: Sequence[int]) -> Node:
        return self.mapped(node, width, (), (), project)

    def filtered(self, node: Node, width: int, condition: Expression | None) -> Node:
        if condition is None:
            return node
        return self.mapped(node, width, (), (condition,), range(width))

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
        return Keyed(self.shaped(node, len(types), columns), len(columns), tuple(indices))

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
        return self.add("distinct", Distinct(once=True), (node,))

    def arranged(self, keyed: Keyed, *, drop_nulls: bool) -> tuple[Node, Arrange]:
        """One arrangement for all who look a node up by the same columns."""
        key = (keyed.node, keyed.keys, drop_nulls)
        known = self._arrangements.get(key)
        if known is None:
            operator = Arrange(keyed.keys, drop_nulls=drop_nulls)
            node = self.add("arrange", operator, (keyed.node,), self.identities[keyed.node])
            known = (node, operator)
            self._arrangements[key] = known
        return known

    def lookup(
        self, left: Keyed, right: Keyed, output: Sequence[tuple[int, int]], *, nulls_match: bool
    ) -> Node:
        """The inner join, as (side, column) pairs."""
        left_node, left_side = self.arranged(left, drop_nulls=not nulls_match)
        right_node, right_side = self.arranged(right, drop_nulls=not nulls_match)
        differ = [(LEFT, i) for i in self._identity(left.node, left.width)]
        # The right key equals the left one, so it tells nothing more.
        others = [i for i in self._identity(right.node, right.width) if i not in right.keys]
        identity = _kept([*differ, *((RIGHT, i) for i in others)], output)
        operator = Join(left_side, right_side, output, keeps_distinct=identity is not None)
        return self.add("join", operator, (left_node, right_node), identity)

    def unmatched(self, left: Keyed, keys: Keyed, width: int, *, nulls_match: bool) -> Node:
        """The first `width` columns of the left rows whose key is not among the distinct keys."""
        left_node, left_side = self.arranged(left, drop_nulls=not nulls_match)
        keys_node, keys_side = self.arranged(keys, drop_nulls=not nulls_match)
        operator = Unmatched(width, left_side, keys_side)
        return self.add("unmatched", operator, (left.node, left_node, keys_node))


def _kept(identity: Sequence[object], project: Sequence[object]) -> tuple[int, ...] | None:
    """Where a projection has the columns of an identity; None if it lacks one."""
    if any(column not in project for column in identity):
        return None
    return tuple(project.index(column) for column in identity)
