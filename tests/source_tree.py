"""The project's own files, parsed once: what the tests about the code itself look at."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE_ROOTS: Final = ("protocol", "history", "controller", "replica", "client", "proof")
SHELLS: Final = ("cli", "demo", "console")
GENERATED: Final = Path("protocol/antiphon/v1")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file: where it is, relative to the checkout, its text and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def root(self) -> str:
        return self.path.parts[0]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def does_io(self) -> bool:
        """Whether it may touch the world: `io/` folders, the shells of users, entry points."""
        parts = self.path.parts
        return "io" in parts or parts[2] in SHELLS or self.name == "__main__"

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def imports(self) -> Iterator[tuple[str, int]]:
        """Every imported module's full name and line; `from a import b` gives `a` and `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, node.lineno
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                yield node.module, node.lineno
                for alias in node.names:
                    yield f"{node.module}.{alias.name}", node.lineno

    def at(self, line: int, what: str) -> str:
        """An offence, as editors and terminals link it."""
        return f"{self.path}:{line}: {what}"


@cache
def product_modules() -> tuple[Module, ...]:
    """Every module that ships, sorted by path; generated code is not ours to judge."""
    return tuple(_parse(path) for root in SOURCE_ROOTS for path in _sources(Path(root)))


@cache
def test_modules() -> tuple[Module, ...]:
    return tuple(_parse(path) for path in _sources(Path("tests")))


test_modules.__test__ = False  # type: ignore[attr-defined]  # a name pytest would collect


@cache
def text_files() -> tuple[tuple[Path, str], ...]:
    """Every text that people wrote, sorted by path: sources, documents, configuration."""
    top = [path for path in sorted(ROOT.iterdir()) if path.is_file()]
    folders = (*SOURCE_ROOTS, "proto", "tests", "docs", "examples", ".ci")
    below = [path for folder in folders for path in _files(Path(folder))]
    paths = [path.relative_to(ROOT) for path in top] + below
    return tuple((path, (ROOT / path).read_text("utf-8")) for path in paths if _is_text(path))


def _files(under: Path) -> Iterator[Path]:
    """Ours, sorted by folder; hidden folders hold environments and caches, which may be huge."""
    for folder, folders, names in os.walk(ROOT / under):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__")
        here = Path(folder).relative_to(ROOT)
        if here != GENERATED:
            yield from (here / name for name in sorted(names) if not name.startswith("."))


def _is_text(path: Path) -> bool:
    return path.suffix in {".py", ".md", ".proto", ".toml", ".txt", ".yaml"} or path.name in {
        "Makefile",
        "run",
    }


def _sources(under: Path) -> list[Path]:
    return [path for path in _files(under) if path.suffix == ".py"]


def _parse(path: Path) -> Module:
    text = (ROOT / path).read_text("utf-8")
    return Module(path, text, ast.parse(text, filename=str(path)))
