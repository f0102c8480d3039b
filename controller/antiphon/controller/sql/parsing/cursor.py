"""A reader of the statements that are ours: words, names and punctuation, with their places.

Queries inside them are left to the parser: a cursor says where they begin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from antiphon.controller.introspection.system import SCHEMA_NAME
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import PUBLIC
from antiphon.protocol.limits import NAME_BYTES_MAX
from antiphon.protocol.schema import RESERVED_PREFIX

_TOKEN: Final = re.compile(
    # Atomic: else a comment would be given back letter by letter to find a lexeme in it.
    r"""(?>(?:\s+|--[^\n]*|/\*.*?\*/)*)
        (?: (?P<word>[A-Za-z_\u0080-\uffff][A-Za-z_0-9$\u0080-\uffff]*)
          | (?P<quoted>"(?:[^"]|"")*")
          | (?P<number>\d+)
          | (?P<string>'(?:[^']|'')*')
          | (?P<mark>.) )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexeme:
    kind: str  # word, quoted, number, string, mark; "" at the end
    text: str
    start: int
    stop: int

    @property
    def upper(self) -> str:
        """A word in upper case, a mark as it is; quoted names are no words."""
        return self.text.upper() if self.kind in ("word", "mark") else ""


class Cursor:
    """Stands before a lexeme; `peek` looks, `take` moves on."""

    __slots__ = ("_ahead", "source")

    def __init__(self, source: Source, start: int = 0) -> None:
        self.source = source
        self._ahead = self._read(start)

    def peek(self) -> Lexeme:
        return self._ahead

    def take(self) -> Lexeme:
        taken = self._ahead
        self._ahead = self._read(taken.stop)
        return taken

    @property
    def at_end(self) -> bool:
        return self._ahead.kind == ""

    def accept(self, *words: str) -> bool:
        """Moves past all these words or marks if they come next, else stays."""
        kept = self._ahead
        for word in words:
            if self._ahead.upper != word:
                self._ahead = kept
                return False
            self.take()
        return True

    def expect(self, *words: str) -> None:
        """
        Raises:
            InvalidSql: something else comes next.
        """
        if not self.accept(*words):
            raise self.unexpected(" ".join(words))

    def expect_end(self) -> None:
        if not self.at_end:
            raise self.unexpected("the end of the statement")

    def unexpected(self, wanted: str) -> Exception:
        found = self._ahead
        near = f'near "{found.text}"' if found.kind else "at the end"
        return self.source.invalid(found.start, f"syntax error {near}: {wanted} is expected")

    def name(self, what: str) -> str:
        """A name without a schema, or in that of all users' items; lower case unless quoted.

        Raises:
            InvalidSql: no name.
            UnsupportedSql: one with a schema.
        """
        start = self._ahead.start
        schema, name = self.path(what)
        if schema == SCHEMA_NAME:
            hint = f": the schema {schema} is the controller's own, and can only be read"
            raise self.source.unsupported(start, f"{schema}.{name} as {what}", hint)
        if schema is not None:
            raise self.source.unsupported(start, "a name with a schema")
        return name

    def path(self, what: str) -> tuple[str | None, str]:
        """A name and its schema, if one is given that is not the users' own."""
        first = self._part(what)
        if not self.accept("."):
            return None, first
        return None if first == PUBLIC else first, self._part(what)

    def _part(self, what: str) -> str:
        if self._ahead.kind not in ("word", "quoted"):
            raise self.unexpected(f"the name of {what}")
        found = self.take()
        if found.kind == "quoted":
            return found.text[1:-1].replace('""', '"')
        return found.text.lower()

    def new_name(self, what: str) -> str:
        """A name for something new, which may not be reserved."""
        start = self._ahead.start
        name = self.name(what)
        check_new_name(self.source, start, name)
        return name

    def names(self, what: str) -> list[tuple[str, int]]:
        """`(a, b, ...)`: the names and where each stands."""
        self.expect("(")
        found: list[tuple[str, int]] = []
        while True:
            start = self._ahead.start
            found.append((self.name(what), start))
            if self.accept(")"):
                return found
            if not self.accept(","):
                raise self.unexpected('"," or ")"')

    def _read(self, start: int) -> Lexeme:
        text = self.source.piece.text
        match = _TOKEN.match(text, start)
        if match is None or match.lastgroup is None:
            return Lexeme(kind="", text="", start=len(text), stop=len(text))
        kind = match.lastgroup
        begin, stop = match.span(kind)
        return Lexeme(kind=kind, text=text[begin:stop], start=begin, stop=stop)


def check_new_name(source: Source, start: int | None, name: str) -> None:
    """
    Raises:
        InvalidSql: the name is empty, too long, or reserved.
    """
    if not name:
        raise source.invalid(start, "a name must not be empty")
    if len(name.encode()) > NAME_BYTES_MAX:
        raise source.invalid(start, f"a name has at most {NAME_BYTES_MAX} bytes")
    if name.startswith(RESERVED_PREFIX):
        raise source.invalid(
            start, f'"{name}": names that begin with "{RESERVED_PREFIX}" are reserved'
        )
