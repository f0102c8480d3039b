"""Dataflows: a plan kept up to date, time by time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from antiphon.protocol.ids import CollectionId
from antiphon.protocol.outer_sides import filling_order
from antiphon.protocol.plan import Plan, imports_of, schema_of
from antiphon.protocol.schema import Schema
from antiphon.protocol.selection import Selection
from antiphon.replica.dataflow.building.builder import Graph, Node
from antiphon.replica.dataflow.building.render import render
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows
from antiphon.replica.dataflow.operators.imported import Imported
from antiphon.replica.dataflow.operators.operator import Operator, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSpec:
    """What a dataflow knows of an input."""

    schema: Schema


@dataclass(slots=True)
class OperatorCounters:
    """What one operator has done so far. `idle_steps`: times it was skipped for want of input;
    `loaded_in`, `loaded_out`: of its rows, those until `mark_loaded`; `ticks`: of the clock."""

    name: str
    inputs: tuple[int, ...] = ()
    loaded_in: int = 0
    loaded_out: int = 0
    ticks: int = 0
    rows_in: int = 0
    rows_out: int = 0
    steps: int = 0
    idle_steps: int = 0


def stopped() -> int:
    """A clock that stands still: without one that runs, operators take no time."""
    return 0


class Dataflow:
    """The operators of one plan and their state, at one current time."""

    def __init__(
        self, graph: Graph, output: Node, plan: Plan, clock: Callable[[], int] = stopped
    ) -> None:
        self.plan = plan
        self.schema = schema_of(plan)
        self.imports = imports_of(plan)
        self.shares = graph.shares
        self.imported = [each for each in graph.operators if isinstance(each, Imported)]
        self._graph = graph
        self._output = output
        self._time: int | None = None
        self._prepared: tuple[int, list[Operator]] | None = None  # a step's time, and who ran
        self._tended = 0  # where `maintain` goes on
        self._clock = clock
        self._counters = [
            OperatorCounters(name, inputs)
            for name, inputs in zip(graph.names, graph.inputs, strict=True)
        ]
        self._nothing = Zset.empty(self.schema)
        self._timed = _who_have(graph.operators, "next_time")
        self._tended_operators = _who_have(graph.operators, "maintain")
        alone = {*self._timed, *(each for each in graph.operators if each.runs_first)}
        keeping = {*_who_have(graph.operators, "commit"), *_who_have(graph.operators, "abandon")}
        self._nodes = [
            # A source has its own change for input.
            (node, operator, inputs or (node,), counters, operator in alone, operator in keeping)
            for node, (operator, inputs, counters) in enumerate(
                zip(graph.operators, graph.inputs, self._counters, strict=True)
            )
        ]

    @staticmethod
    def build(
        plan: Plan,
        imports: Mapping[CollectionId, ImportSpec],
        clock: Callable[[], int] = stopped,
        *,
        shares: bool = False,
    ) -> Dataflow:
        """An empty dataflow. `clock`: what the time of each operator is counted by. `shares`: what
        it looks up of its imports is arranged elsewhere, and each of `imported` is told where.

        Raises:
            NotServed: the plan has something that this version does not evaluate; nothing is built.
        """
        for collection in imports_of(plan):
            assert collection in imports, f"the plan reads {collection}, which is not imported"
        order = filling_order(plan) if shares else {}
        graph = Graph(nested=_nested, shares=shares, order=order)
        return Dataflow(graph, render(graph, plan, {}), plan, clock)

    def columns_read(self, collection: CollectionId) -> tuple[int, ...]:
        """Of an import, ascending: the others may be anything."""
        source = self._graph.sources[collection]
        found: set[int] = set()
        for reader in self._readers(source):
            found.update(self._graph.reads.get(reader, self._graph.imports[source].columns))
        if source == self._output:
            found.update(self._graph.imports[source].columns)
        return tuple(sorted(found))

    def turn_of(self, collection: CollectionId) -> int:
        """An import's content comes after all of those with a lower number."""
        return self._graph.order.get(collection, 0)

    def brought(self, collection: CollectionId) -> tuple[Selection, ...]:
        """Of which rows of an import the content must come as changes, for each who needs it; none
        if all who read it look it up."""
        return tuple(self._brought(self._graph.sources[collection]))

    def _brought(self, node: Node) -> Iterator[Selection]:
        """For those who read a node that is an import."""
        graph = self._graph
        if node == self._output:
            yield graph.imports[node].selection
        for reader in self._readers(node):
            if isinstance(graph.operators[reader], Imported):
                if reader in graph.bringing:
                    yield graph.imports[node].selection
            elif reader in graph.imports:
                yield from self._brought(reader)
            else:
                yield graph.imports[node].selection

    def _readers(self, node: Node) -> list[Node]:
        return [each for each, inputs in enumerate(self._graph.inputs) if node in inputs]

    @property
    def output(self) -> Node:
        """Which of `operators` gives the result."""
        return self._output

    @property
    def time(self) -> int | None:
        """Of the last step."""
        return self._time

    @property
    def is_timed(self) -> bool:
        """Whether there may be something to do without input."""
        return bool(self._timed)

    @property
    def next_time(self) -> int | None:
        """When there is something to do even without input, after the last step; None: never."""
        if not self._timed:
            return None
        times = [time for operator in self._timed if (time := operator.next_time) is not None]
        return min(times, default=None)

    def load(self, time: int, inputs: Mapping[CollectionId, Zset]) -> Zset:
        """`step` for a part of the content that all begins with: the time may be that of the last
        part. The outputs of all parts add up to the output."""
        assert self._time is None or time == self._time, "content after the first time"
        change = self._stepped(time, inputs, is_load=True)
        self.commit()
        return change

    def step(self, time: int, inputs: Mapping[CollectionId, Zset]) -> Zset:
        """The output's change at `time`; inputs that are absent did not change.

        Each row once, none with diff 0, in any order: `consolidated` gives the canonical one to
        those who need it. Times strictly increase. Operators without input do not run. All state
        changes happen after everything is computed.
        """
        change = self.prepare(time, inputs)
        self.commit()
        return change

    def prepare(self, time: int, inputs: Mapping[CollectionId, Zset]) -> Zset:
        """The first half of a step, which changes nothing; `commit` or `abandon` follows."""
        assert self._time is None or time > self._time, f"time moves back: {self._time} -> {time}"
        return self._stepped(time, inputs)

    def _stepped(
        self, time: int, inputs: Mapping[CollectionId, Zset], *, is_load: bool = False
    ) -> Zset:
        step = Step(time, is_first=self._time is None, is_load=is_load)
        ran: list[Operator] = []
        try:
            changes = self._computed(step, inputs, ran)
        except BaseException:
            for operator in ran:
                operator.abandon()
            raise
        self._prepared = (time, ran)
        rows = changes[self._output]
        errors = None
        if step.errors:
            errors = concat_rows([part for part in step.errors if part.row_count])
        if errors is not None:
            errors = errors.consolidated()
            errors = errors if errors.row_count else None
        if rows is None:
            return Zset(self._nothing.columns, self._nothing.diffs, errors, is_distinct=True)
        if not rows.is_distinct:
            rows = rows.consolidated()
        return rows if errors is None else Zset(
            rows.columns, rows.diffs, errors, rows.hashes, rows.is_distinct
        )  # fmt: skip

    def commit(self) -> None:
        """What was prepared takes place."""
        if self._prepared is not None:
            self._time, ran = self._prepared
            self._prepared = None
            for operator in ran:
                operator.commit()

    def abandon(self) -> None:
        """What was prepared does not take place."""
        if self._prepared is not None:
            _, ran = self._prepared
            self._prepared = None
            for operator in ran:
                operator.abandon()

    def _computed(
        self, step: Step, inputs: Mapping[CollectionId, Zset], ran: list[Operator]
    ) -> list[Zset | None]:
        changes: list[Zset | None] = [None] * len(self._nodes)
        for collection, change in inputs.items():
            node = self._graph.sources.get(collection)
            if node is not None and not change.is_empty:
                changes[node] = change
        clock = self._clock
        started = clock()
        for node, operator, sources, counters, acts_alone, keeps in self._nodes:
            own = [changes[sources[0]]] if len(sources) == 1 else [changes[i] for i in sources]
            rows_in, idle = 0, True
            for given in own:
                if given is not None:
                    rows_in += len(given.diffs)
                    idle = False
            if idle and not (acts_alone and _runs_alone(operator, step)):
                counters.idle_steps += 1
                continue
            if keeps:
                ran.append(operator)
            out = operator.step(own, step)
            ended = clock()
            counters.ticks += ended - started
            started = ended
            counters.steps += 1
            counters.rows_in += rows_in
            rows_out = 0 if out is None else len(out.diffs)
            counters.rows_out += rows_out
            changes[node] = out if rows_out else None
        return changes

    def maintain(self, fuel_rows: int) -> bool:
        """Spend up to about `fuel_rows` on background merges; True: there is more to do.

        One operator's merges may use all of it; the next call begins with the operator after.
        """
        operators = self._tended_operators
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

    def mark_loaded(self) -> None:
        """What went in so far was the content to begin with: what comes now are changes."""
        for counters in self._counters:
            counters.loaded_in, counters.loaded_out = counters.rows_in, counters.rows_out

    def operators(self) -> list[tuple[OperatorCounters, Operator]]:
        """Inputs before those who read them."""
        return list(zip(self._counters, self._graph.operators, strict=True))

    def counters(self) -> tuple[OperatorCounters, ...]:
        """One for each operator, inputs before those who read them."""
        return tuple(self._counters)


def _nested(plan: Plan, schemas: Mapping[CollectionId, Schema]) -> Dataflow:
    return Dataflow.build(plan, {c: ImportSpec(schema=schema) for c, schema in schemas.items()})


def _who_have(operators: Sequence[Operator], name: str) -> list[Operator]:
    """Those with a method or property of their own where most have nothing to do."""
    return [each for each in operators if getattr(type(each), name) is not getattr(Operator, name)]


def _runs_alone(operator: Operator, step: Step) -> bool:
    """Whether an operator without input has something to do."""
    due = operator.next_time
    return (step.is_first and operator.runs_first) or (due is not None and due <= step.time)


def evaluate_once(
    plan: Plan,
    imports: Mapping[CollectionId, ImportSpec],
    inputs: Mapping[CollectionId, Zset],
    time: int = 0,
) -> Zset:
    """The plan's result over whole inputs at `time`: a dataflow, one step, nothing kept."""
    return Dataflow.build(plan, imports).step(time, inputs)
