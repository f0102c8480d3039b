"""`antiphon history` and `antiphon explain`: durable commands and decisions, in the words that the
logs use."""

from __future__ import annotations

import datetime

from google.protobuf.json_format import MessageToDict

from antiphon.cli import output
from antiphon.cli.connecting import connected
from antiphon.cli.options import Settings
from antiphon.v1 import control_pb2 as wire


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


def status(settings: Settings) -> None:
    """Base, log and head; then the pins, which say for whom the log is kept and from where."""
    with connected(settings) as client:
        found = client.status()
    pinned = [replica for replica in found.replicas if replica.pin_state]
    if settings.json:
        output.print_json(
            {
                "history_id": found.history_id.hex(),
                "base": found.history_base,
                "head": found.history_head,
                "log_commands": found.log_commands,
                "log_bytes": found.log_bytes,
                "pins": [
                    {"replica": r.name, "position": r.pin, "state": r.pin_state} for r in pinned
                ],
            }
        )
        return
    print(
        f"history {found.history_id.hex()[:12]}: folded up to {found.history_base}, head"
        f" {found.history_head}, {found.log_commands} commands unedited ({found.log_bytes} bytes)"
    )
    output.print_rows(
        ("replica", "needs the log after", "pin"),
        [(r.name, r.pin, r.pin_state) for r in pinned],
        numeric=(False, True),
    )


def explain(settings: Settings, replica: str) -> None:
    """One line a decision, oldest first."""
    with connected(settings) as client:
        decisions = client.explain_replica(replica)
    if settings.json:
        for decision in decisions:
            value = MessageToDict(decision, preserving_proto_field_name=True)
            value.update(at_ms=decision.at_ms, session_id=decision.session_id)
            output.print_json(value)
        return
    output.print_rows(
        ("decided", "session", "reason", "outcome"),
        [(_moment(d.at_ms), d.session_id, _reason(d), _outcome(d)) for d in decisions],
        numeric=(False, True),
    )


def _reason(decision: wire.ReplicaDecision) -> str:
    """Why it was decided, what it began with, and what that came to was compared with."""
    return "; ".join(one for one in (decision.reason, decision.base, decision.content) if one)


def _outcome(decision: wire.ReplicaDecision) -> str:
    outcome = decision.outcome or "-"
    return f"{outcome}: {decision.progress}" if decision.progress else outcome


def _moment(milliseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, tz=datetime.UTC)
    return moment.isoformat(sep=" ", timespec="milliseconds")
