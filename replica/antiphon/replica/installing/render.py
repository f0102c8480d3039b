"""From a description to the engine's dataflow: plans and nothing else, checked before they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from antiphon.protocol.codec import plan_from_bytes
from antiphon.protocol.dataflow import DataflowDescription, Import
from antiphon.protocol.errors import InvalidArgument, RemoteProtocolError
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Plan, imports_of, schema_of
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec, stopped


def render(
    description: DataflowDescription, clock: Callable[[], int] = stopped, *, shares: bool = False
) -> Dataflow:
    """A fresh dataflow, which has read nothing. `clock`: what operators' times are counted by.
    `shares`: as of `Dataflow.build`.

    Raises:
        InvalidArgument: the plan is malformed, reads what is not imported, or does not give the
            columns that it was described with.
        NotServed: the plan needs an operator that this version does not have.
    """
    plan = decode_plan(description.plan, description.imports)
    _require_types(plan, description.schema)
    return Dataflow.build(plan, specs_of(description.imports), clock, shares=shares)


def decode_plan(plan: bytes, imports: Iterable[Import]) -> Plan:
    """Raises InvalidArgument: malformed, or it reads what is not among `imports`."""
    try:
        decoded = plan_from_bytes(plan)
    except RemoteProtocolError as error:
        raise InvalidArgument(f"the plan is malformed: {error}") from error
    known = {imported.collection for imported in imports}
    for collection in imports_of(decoded):
        if collection not in known:
            raise InvalidArgument("the plan reads what is not imported", collection=collection)
    return decoded


def specs_of(imports: Iterable[Import]) -> dict[CollectionId, ImportSpec]:
    return {imported.collection: ImportSpec(schema=imported.schema) for imported in imports}


def _require_types(plan: Plan, schema: Schema) -> None:
    found = tuple(str(kind) for kind in schema_of(plan).types)
    wanted = tuple(str(kind) for kind in schema.types)
    if found != wanted:
        raise InvalidArgument(
            f"the plan gives ({', '.join(found)}), described as ({', '.join(wanted)})"
        )
