"""A controller to be killed: appends without end, says what was acknowledged, retries the rest.

    python -m tests.history.crashing DIR CLIENT:SEQUENCE ...

Each client is a producer that goes on from its sequence, one append at a time. Lines on standard
output: `ack CLIENT SEQUENCE TIME DUPLICATE` once an append is durable, `head POSITION` for a
command, and `fold` when since has moved.
"""

from __future__ import annotations

import itertools
import sys
import threading
from pathlib import Path
from queue import Queue

from antiphon.history.io.sqlite import SqliteStore, open_store
from antiphon.history.journal import new_command
from antiphon.history.store import (
    Append,
    AppendApplied,
    Committed,
    Completion,
    ProducerSequence,
    Submission,
    Tick,
)
from antiphon.protocol.command import UpdateConfiguration
from antiphon.protocol.ids import Epoch, InstanceId, Position, ProducerId
from tests.history.stores import BAG, FEED, SHARDS, TABLE, inserted


class Crashing:
    def __init__(self, directory: Path) -> None:
        self._waiting: dict[int, Queue[Completion]] = {}
        self._tokens = itertools.count(1)
        self._order = threading.Lock()
        self._print = threading.Lock()
        self._store: SqliteStore = open_store(directory, deliver=self._deliver)
        self._time = self._store.opened.timeline_upper
        if TABLE not in self._store.opened.shards:
            self._submit(new_shards=SHARDS)

    def _deliver(self, completions: tuple[Completion, ...]) -> None:
        for completion in completions:
            self._waiting.pop(completion.token).put(completion)

    def _submit(self, *appends: Append, **parts: object) -> Committed:
        answer: Queue[Completion] = Queue()
        fence = self._store.fence
        assert fence is not None
        with self._order:  # times ascend in the order of submission
            token = next(self._tokens)
            self._waiting[token] = answer
            if appends:
                parts["tick"] = Tick(time=self._time, appends=appends)
                self._time += 1
            self._store.submit(Submission(token=token, fence=fence, now_ms=1, **parts))  # type: ignore[arg-type]
        completion = answer.get()
        assert isinstance(completion, Committed), completion
        return completion

    def _say(self, *words: object) -> None:
        with self._print:
            print(*words, flush=True)

    def client(self, number: int, sequence: int) -> None:
        producer = ProducerId(number.to_bytes(16, "little"))
        for each in itertools.count(sequence):
            row = inserted((number * 1_000_000 + each, "x" * 200))
            stamp = ProducerSequence(producer_id=producer, sequence=each)
            collection = (BAG, TABLE, FEED)[number % 3]
            append = Append(collection=collection, rows=row, producer=stamp)
            (outcome,) = self._submit(append).outcomes
            assert isinstance(outcome, AppendApplied), outcome
            self._say("ack", number, each, outcome.time, int(outcome.duplicate))

    def commander(self) -> None:
        head = self._store.opened.head
        while True:
            command = new_command(
                UpdateConfiguration(values={"head": str(head)}),
                instance_id=InstanceId(7),
                epoch=Epoch(1),
                position=Position(head + 1),
                now_ms=1,
            )
            head = self._submit(commands=(command,), expected_head=head).head
            self._say("head", head)

    def compactor(self) -> None:
        while True:
            since = max(0, self._time - 30)
            self._submit(since={each: since for each in (BAG, TABLE, FEED)})
            self._say("fold")
            threading.Event().wait(0.01)


def main(directory: str, *clients: str) -> None:
    crashing = Crashing(Path(directory))
    work = [
        threading.Thread(target=crashing.commander),
        threading.Thread(target=crashing.compactor),
    ]
    for client in clients:
        number, sequence = client.split(":")
        arguments = (int(number), int(sequence))
        work.append(threading.Thread(target=crashing.client, args=arguments))
    for thread in work:
        thread.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
