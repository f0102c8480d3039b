"""The interactive SQL shell: lines until a semicolon, a history, and a few commands of its own."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from antiphon.cli import output
from antiphon.cli.answer import print_result
from antiphon.cli.failure import describe, state_directory
from antiphon.cli.follow import follow
from antiphon.client import Client
from antiphon.client.statements import Effect, effect_of, says_something, split, subscribe_target
from antiphon.protocol.errors import AntiphonError

HISTORY_LINES_MAX: Final = 10_000
HELP: Final = """\
\\d [NAME]  list collections, or describe one
\\timing    show how long statements take, on or off
\\q         quit (so does Ctrl-D)
Statements end with a semicolon and may span lines; Ctrl-C gives one up."""


class Shell:
    """One session. Errors are printed, one line each; the session goes on."""

    def __init__(self, client: Client, *, as_json: bool) -> None:
        self._client = client
        self._as_json = as_json
        self._timing = False

    def run(self) -> None:
        """Reads until end of input or \\q."""
        with _line_editing():
            output.note(f"connected to {self._client.address}; \\? helps, \\q quits")
            pending = ""
            while True:
                try:
                    line = input("...> " if says_something(pending) else "antiphon> ")
                except EOFError:
                    print()
                    return
                except KeyboardInterrupt:
                    print()
                    pending = ""
                    continue
                if not says_something(pending) and line.lstrip().startswith("\\"):
                    if not self.meta(line.strip()):
                        return
                    continue
                pending = self.feed(pending + line + "\n")

    def feed(self, text: str) -> str:
        """Runs the statements that are complete; returns what is not."""
        script = split(text)
        for statement in script.statements:
            if not self._statement(statement):
                return ""  # what was typed after the failure was meant to follow its success
        return script.rest

    def meta(self, line: str) -> bool:
        """Runs a backslash command; False means quit."""
        command, _, argument = line.partition(" ")
        match command:
            case "\\q" | "\\quit":
                return False
            case "\\timing":
                self._timing = not self._timing
                print(f"timing is {'on' if self._timing else 'off'}")
            case "\\d":
                self._guarded(lambda: self._describe(argument.strip()))
            case "\\?" | "\\h" | "\\help":
                print(HELP)
            case _:
                output.note(f"no such command: {command}; \\? lists them")
        return True

    def _statement(self, statement: str) -> bool:
        started_s = time.monotonic()

        def run() -> None:
            if effect_of(statement) is Effect.SUBSCRIBE:
                follow(self._client, subscribe_target(statement), as_json=self._as_json)
            else:
                print_result(self._client.sql(statement), as_json=self._as_json)

        succeeded = self._guarded(run)
        if self._timing:
            print(f"time: {(time.monotonic() - started_s) * 1000:.1f} ms")
        return succeeded

    def _guarded(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except AntiphonError as error:
            output.note(describe(error))
            return False
        except KeyboardInterrupt:
            output.note("canceled")
            return False
        return True

    def _describe(self, name: str) -> None:
        if not name:
            rows = [(c.name, c.kind, ", ".join(c.key)) for c in self._client.collections()]
            output.print_rows(("name", "kind", "key"), rows)
            return
        found = self._client.collection(name)
        output.print_rows(
            ("column", "type", "nullable", "key"),
            [(c.name, str(c.type), c.nullable, c.name in found.key) for c in found.schema.columns],
        )
        if found.sql:
            print(found.sql)


@contextlib.contextmanager
def _line_editing() -> Iterator[None]:
    """Readline with a history file of this user's, where readline is there."""
    if not sys.stdin.isatty():
        yield
        return
    try:
        import readline
    except ImportError:
        yield
        return
    path = state_directory() / "sql_history"
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(HISTORY_LINES_MAX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            readline.write_history_file(path)
            path.chmod(0o600)
