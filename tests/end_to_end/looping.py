"""Work that goes on in a thread of its own while something terrible happens."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.end_to_end.system import PATIENCE_S, until


class Loop(ABC):
    """Takes its step again and again, until it is told to stop. What goes wrong in it is raised
    where somebody waits for it, at once."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @abstractmethod
    def step(self) -> None: ...

    def run(self) -> None:
        while not self._stop.is_set():
            self.step()

    def _run(self) -> None:
        try:
            self.run()
        except BaseException as error:
            self._error = error

    def start(self) -> None:
        self._thread.start()

    def until(self, reached: Callable[[], bool], what: str) -> None:
        until(lambda: self._error is not None or reached(), what)
        self.check()

    def finish(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        self.check()
        assert not self._thread.is_alive(), f"the {type(self).__name__} hangs"

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish()
        else:
            self._stop.set()  # the first error is the one to be told
