"""Dataflows: a plan kept up to date, time by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Plan, imports_of, schema_of
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.builder import Graph, Node
from antiphon.replica.dataflow.operators.operator import Step
from antiphon.replica.dataflow.render import render
from antiphon.replica.dataflow.zset import Zset, concat_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSpec:
    """What a dataflow knows of an input."""

    schema: Schema


@dataclass(slots=True)
class OperatorCounters:
    """What one operator has done so far. `idle_steps`: times it was skipped for want of input."""

    name: str
    rows_in: int = 0
    rows_out: int = 0
    steps: int = 0
    idle_steps: int = 0


class Dataflow:
    """The operators of one plan and their state, at one current time."""

    def __init__(self, graph: Graph, output: Node, plan: Plan) -> None:
        self.schema = schema_of(plan)
        self.imports = imports_of(plan)
        self._graph = graph
        self._output = output
        self._time: int | None = None
        self._tended = 0  # where `maintain` goes on
        self._counters = [OperatorCounters(name) for name in graph.names]

    @staticmethod
    def build(plan: Plan, imports: Mapping[CollectionId, ImportSpec]) -> Dataflow:
        """An empty dataflow.

        Raises:
            NotServed: the plan has something that this version does not evaluate; nothing is built.
        """
        for collection in imports_of(plan):
            assert collection in imports, f"the plan reads {collection}, which is not imported"
        graph = Graph()
        return Dataflow(graph, render(graph, plan, {}), plan)

    @property
    def time(self) -> int | None:
        """Of the last step."""
        return self._time

    def step(self, time: int, inputs: Mapping[CollectionId, Zset]) -> Zset:
        """The output's change at `time`, consolidated; inputs that are absent did not change.

        Times strictly increase. Operators without input do not run. All state changes happen after
        everything is computed.
        """
        assert self._time is None or time > self._time, f"time moves back: {self._time} -> {time}"
        step = Step(time, is_first=self._time is None)
        changes = self._computed(step, inputs)
        for operator in self._graph.operators:
            operator.commit()
        self._time = time
        rows = changes[self._output]
        errors = concat_rows([part for part in step.errors if part.row_count])
        if rows is None:
            rows = Zset.empty(self.schema)
        return Zset(rows.columns, rows.diffs, errors).consolidated()

    def _computed(self, step: Step, inputs: Mapping[CollectionId, Zset]) -> list[Zset | None]:
        given: dict[Node, Zset] = {}
        for collection, change in inputs.items():
            node = self._graph.sources.get(collection)
            if node is not None and not change.is_empty:
                given[node] = change
        changes: list[Zset | None] = []
        for node, operator in enumerate(self._graph.operators):
            sources = self._graph.inputs[node]
            own = [changes[i] for i in sources] if sources else [given.get(node)]
            counters = self._counters[node]
            rows_in = sum(change.row_count for change in own if change is not None)
            if all(change is None for change in own) and not (
                step.is_first and operator.runs_first
            ):
                counters.idle_steps += 1
                changes.append(None)
                continue
            out = operator.step(own, step)
            counters.steps += 1
            counters.rows_in += rows_in
            counters.rows_out += 0 if out is None else out.row_count
            changes.append(None if out is None or out.row_count == 0 else out)
        return changes

    def maintain(self, fuel_rows: int) -> bool:
        """Spend up to about `fuel_rows` on background merges; True: there is more to do.

        One operator's merges may use all of it; the next call begins with the operator after.
        """
        operators = self._graph.operators
        for offset in range(len(operators)):
            place = (self._tended + offset) % len(operators)
            if operators[place].maintain(fuel_rows):
                self._tended = place + 1
                return True
        return False

    @property
    def state_rows(self) -> int:
        """Rows, updates and groups held by all operators."""
        return sum(operator.state_rows for operator in self._graph.operators)

    @property
    def state_bytes(self) -> int:
        return sum(operator.state_bytes for operator in self._graph.operators)

    def counters(self) -> tuple[OperatorCounters, ...]:
        """One for each operator, inputs before those who read them."""
        return tuple(self._counters)


def evaluate_once(
    plan: Plan, imports: Mapping[CollectionId, ImportSpec], inputs: Mapping[CollectionId, Zset]
) -> Zset:
    """The plan's result over whole inputs: a dataflow, one step, nothing kept."""
    return Dataflow.build(plan, imports).step(0, inputs)
