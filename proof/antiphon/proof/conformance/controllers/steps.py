"""What many checks of controllers do."""

from __future__ import annotations

from antiphon.proof.conformance.controllers.ports import ControllerBench, Replica, Stream
from antiphon.proof.conformance.controllers.scripted import Heard
from antiphon.proof.conformance.verdict import expect
from antiphon.protocol.command import CancelPeek, CreateDataflow, Peek, Sent
from antiphon.protocol.ids import PeekId

QUIET_S = 0.3  # for what must not come


async def two(bench: ControllerBench) -> tuple[Stream, Stream]:
    """Two replicas that are connected."""
    first, second = await bench.replica(), await bench.replica()
    return await first.stream(), await second.stream()


def peeks_of(heard: Heard) -> list[Peek]:
    return [sent.command for sent in heard.of(Peek) if isinstance(sent.command, Peek)]


async def peek(stream: Stream, count: int = 1) -> Peek:
    """The peek of that number that the stream heard."""
    found = await stream.until(
        lambda heard: peeks_of(heard) if len(peeks_of(heard)) >= count else None, "a Peek"
    )
    return found[count - 1]


async def canceled(stream: Stream, peek_id: PeekId) -> None:
    await stream.until(
        lambda heard: [
            sent
            for sent in heard.of(CancelPeek)
            if isinstance(sent.command, CancelPeek) and sent.command.peek_id == peek_id
        ],
        "a CancelPeek of what another has answered",
    )


async def created(stream: Stream, name: str) -> Sent:
    """The creation of the dataflow of that name."""
    found = await stream.until(lambda heard: _creations(heard, name), f"CreateDataflow of {name}")
    return found[0]


def _creations(heard: Heard, name: str) -> list[Sent]:
    return [
        sent
        for sent in heard.of(CreateDataflow)
        if isinstance(sent.command, CreateDataflow) and sent.command.dataflow.name == name
    ]


async def not_spoken_to(bench: ControllerBench, replica: Replica, word: str) -> None:
    """It is probed, left alone, and the reason is on record."""
    await replica.probed(2)
    sessions = len(replica.scripted.sessions)
    expect(sessions == 0, "no session", f"{sessions} of them")
    reason = await bench.reason(replica)
    expect(word in reason, f"a reason with the word {word!r}", reason)
