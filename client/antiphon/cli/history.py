"""`antiphon history show`: the durable commands, in the words that the logs use."""

from __future__ import annotations

import datetime

from google.protobuf.json_format import MessageToDict

from antiphon.cli import output
from antiphon.cli.query import Settings, connected


def show(settings: Settings, *, from_position: int, records_max: int, reduced: bool) -> None:
    """One line a record; JSON holds the whole command."""
    with connected(settings) as client:
        records = client.history(
            from_position=from_position, records_max=records_max, reduced=reduced
        )
    if settings.json:
        for record in records:
            value = MessageToDict(record, preserving_proto_field_name=True)
            value.update(
                position=record.position,
                subject=record.subject,
                appended_at_ms=record.appended_at_ms,
                digest=record.digest.hex(),
            )
            output.print_json(value)
        return
    output.print_rows(
        ("position", "appended", "digest", "command"),
        [(r.position, _moment(r.appended_at_ms), r.digest.hex()[:12], r.text) for r in records],
        numeric=(True,),
    )


def _moment(milliseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, tz=datetime.UTC)
    return moment.isoformat(sep=" ", timespec="milliseconds")
