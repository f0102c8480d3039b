"""Write `docs/protocol.md` from the code that is the protocol: tables, docstrings, limits.

python proto/document.py            write
python proto/document.py --check    change nothing; exit 1 if the document is not current
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from antiphon.protocol import (
    exchange,
    fingerprint,
    greeting,
    ledger,
    limits,
    transitions,
    version,
)
from antiphon.protocol.command import COMMANDS, Command, FramingCommand, WorkCommand
from antiphon.protocol.describe import kebab
from antiphon.protocol.failure import ERRORS
from antiphon.protocol.io.status import CODES
from antiphon.protocol.response import RESPONSES
from antiphon.protocol.stage import Stage
from antiphon.protocol.transitions import may_respond, next_stage

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "protocol.md"
HEAD: Final = """# The compute protocol

Written by `python proto/document.py` from `antiphon.protocol`; edit the code, not this file. The
messages themselves are in `proto/antiphon/v1/`, where every field has its comment.

A session is one gRPC stream from a controller to a replica: batches of commands one way, batches of
responses the other. Each direction is reliable and in order; there is no order between the two, so
each side tolerates what the other sent before it could know better.
"""


def render() -> str:
    """The whole document."""
    stages = [each for each in Stage if each is not Stage.CLOSED]
    return "\n".join(
        (
            HEAD,
            "## Stages\n",
            _prose(transitions),
            "### Which command may come when\n",
            "The stage that follows. Empty: illegal; the stream is closed, nothing has changed.\n",
            _table(
                ["command", *(kebab(each.name) for each in stages)],
                (
                    [f"`{kind.__name__}`", *(_following(each, kind) for each in stages)]
                    for kind in COMMANDS
                ),
            ),
            "### What a replica may say when\n",
            _table(
                ["response", *(kebab(each.name) for each in stages)],
                (
                    [f"`{kind.__name__}`", *(_may(each, kind) for each in stages)]
                    for kind in RESPONSES
                ),
            ),
            "## Commands\n",
            _table(
                ["command", "travels", "meaning"],
                ([f"`{kind.__name__}`", _travels(kind), _summary(kind)] for kind in COMMANDS),
            ),
            "## Responses\n",
            _table(
                ["response", "meaning"],
                ([f"`{kind.__name__}`", _summary(kind)] for kind in RESPONSES),
            ),
            "## Hello\n",
            _prose(greeting),
            _prose_of(greeting.check_hello),
            "## Versions\n",
            _prose(version),
            _prose_of(version.choose),
            "## Positions\n",
            _prose(exchange),
            "## What messages refer to\n",
            _prose(ledger),
            "## Fingerprints\n",
            _prose(fingerprint),
            _prose_of(fingerprint.fingerprint_of),
            "## Errors\n",
            "An error that is not definite may have taken effect.\n",
            _table(["code", "gRPC", "definite", "meaning"], _errors()),
            "## Limits\n",
            _table(["limit", "value", "why"], _limits()),
        )
    )


def _following(at: Stage, command: type[Command]) -> str:
    following = next_stage(at, command)
    return "" if following is None else kebab(following.name)


def _may(at: Stage, response: type[Any]) -> str:
    return "yes" if may_respond(at, response) else ""


def _travels(command: type[Command]) -> str:
    if command in FramingCommand.__args__:
        return "framing"
    assert command in WorkCommand.__args__
    match command.__name__:
        case "UpdateConfiguration":
            return "numbered"
        case "CreateDataflow":
            return "numbered; live if transient"
        case "AllowCompaction":
            return "live; numbered if it drops"
        case _:
            return "live"


def _summary(kind: type[Any]) -> str:
    """The docstring as one paragraph; dataclasses invent one, which says nothing."""
    text = inspect.getdoc(kind) or ""
    return "" if text.startswith(f"{kind.__name__}(") else " ".join(text.split())


def _prose(module: ModuleType) -> str:
    return _prose_of(module)


def _prose_of(thing: Any) -> str:
    """A docstring as Markdown: its underlined headings, its indented blocks, its `Raises:`."""
    text = inspect.getdoc(thing) or ""
    text = re.sub(r"^(.+)\n-+$", r"### \1", text, flags=re.MULTILINE)
    text = re.sub(r"^(Raises|Returns|Args):$", r"\1:\n", text, flags=re.MULTILINE)
    listed = re.sub(r"^    ([A-Z]\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)
    return listed + "\n"


def _errors() -> Iterator[list[str]]:
    for code in sorted(ERRORS):
        kind = ERRORS[code]
        own = kind.__dict__.get("__doc__")
        meaning = " ".join(inspect.cleandoc(own).split()) if own else ""
        yield [f"`{code}`", CODES[kind].name, "yes" if kind.definite else "**no**", meaning]


def _limits() -> Iterator[list[str]]:
    """Every public limit, with the comment beside it in the source."""
    pattern = re.compile(r"^([A-Z][A-Z_]+): Final = .*?(?:  # (.+))?$", re.MULTILINE)
    for name, reason in pattern.findall(inspect.getsource(limits)):
        if name not in ("KIB", "MIB"):
            yield [f"`{name}`", f"{getattr(limits, name):,}", reason]


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
        + "\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/protocol.md.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail on a difference")
    text = render()
    if parser.parse_args().check:
        current = DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == text
        print("current" if current else "docs/protocol.md is not current: run `make proto`")
        return 0 if current else 1
    DOCUMENT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
