"""Between the values of this package and `antiphon.v1`: every value has one encoding.

    command        Sent <-> Command, CommandBatch; payload bytes
    response       Response <-> Response, ResponseBatch
    dataflow       descriptions, imports, exports, finishing
    plan           plans and their bytes (read by plan_decoder)
    expression     scalar expressions
    literal        values of a type
    schema         types, columns, schemas
    frontier       frontiers
    failure        errors as values
    facts          the answer to a probe
    delta          batches of a tail
    field          where a malformed message is malformed

`X_to_proto` never fails on a legal value; `X_from_proto` returns a legal value or raises
`MalformedMessage`, a `RemoteProtocolError` whose `path` names the field.
"""

from antiphon.protocol.codec.command import (
    command_from_bytes,
    command_from_proto,
    command_to_bytes,
    command_to_proto,
    commands_from_batch,
    commands_to_batch,
    commands_to_pass,
)
from antiphon.protocol.codec.dataflow import (
    dataflow_from_proto,
    dataflow_to_proto,
    export_from_proto,
    export_to_proto,
    finishing_from_proto,
    finishing_to_proto,
    import_from_proto,
    import_to_proto,
)
from antiphon.protocol.codec.delta import (
    delta_from_proto,
    delta_to_proto,
    tail_batch_from_proto,
    tail_batch_to_proto,
)
from antiphon.protocol.codec.expression import expression_from_proto, expression_to_proto
from antiphon.protocol.codec.facts import facts_from_proto, facts_to_proto
from antiphon.protocol.codec.failure import failure_from_proto, failure_to_proto
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.frontier import frontier_from_proto, frontier_to_proto
from antiphon.protocol.codec.plan import (
    plan_from_bytes,
    plan_from_proto,
    plan_to_bytes,
    plan_to_proto,
)
from antiphon.protocol.codec.response import (
    response_from_proto,
    response_to_proto,
    responses_from_batch,
    responses_to_batch,
)
from antiphon.protocol.codec.schema import (
    column_from_proto,
    column_to_proto,
    schema_from_proto,
    schema_to_proto,
    type_from_proto,
    type_to_proto,
)

__all__ = [
    "MalformedMessage",
    "column_from_proto",
    "column_to_proto",
    "command_from_bytes",
    "command_from_proto",
    "command_to_bytes",
    "command_to_proto",
    "commands_from_batch",
    "commands_to_batch",
    "commands_to_pass",
    "dataflow_from_proto",
    "dataflow_to_proto",
    "delta_from_proto",
    "delta_to_proto",
    "export_from_proto",
    "export_to_proto",
    "expression_from_proto",
    "expression_to_proto",
    "facts_from_proto",
    "facts_to_proto",
    "failure_from_proto",
    "failure_to_proto",
    "finishing_from_proto",
    "finishing_to_proto",
    "frontier_from_proto",
    "frontier_to_proto",
    "import_from_proto",
    "import_to_proto",
    "plan_from_bytes",
    "plan_from_proto",
    "plan_to_bytes",
    "plan_to_proto",
    "response_from_proto",
    "response_to_proto",
    "responses_from_batch",
    "responses_to_batch",
    "schema_from_proto",
    "schema_to_proto",
    "tail_batch_from_proto",
    "tail_batch_to_proto",
    "type_from_proto",
    "type_to_proto",
]
