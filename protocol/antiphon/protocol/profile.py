"""What a replica tells of a dataflow's operators: the columns of the answer to a profile."""

from __future__ import annotations

from typing import Final

from antiphon.protocol.schema import FLOAT64, INT64, TEXT, Column, Schema

# One row for each operator, inputs before those who read them, and one for each collection kept.
# `loaded_rows` went in while it hydrated, `rows_in` since: as many as changed, if nothing is
# computed from scratch; what is looked up where it is arranged anyway does not go in. Of such an
# arrangement the name says who shares it; its state is in one row of each of them. `time_ms` is of
# computing changes; merging beside it is not in it.
PROFILE: Final = Schema(
    tuple(
        Column(name=name, type=kind, nullable=False)
        for name, kind in (
            ("operator", INT64),
            ("name", TEXT),
            ("inputs", TEXT),
            ("loaded_rows", INT64),
            ("rows_in", INT64),
            ("rows_out", INT64),
            ("steps", INT64),
            ("state_rows", INT64),
            ("state_bytes", INT64),
            ("time_ms", FLOAT64),
        )
    )
)
