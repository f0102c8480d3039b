"""The documents are true: links lead somewhere, commands exist, words are those of the glossary."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from antiphon.cli.settings import ClientSettings
from antiphon.controller.io.config import ControllerConfig
from antiphon.replica.io.config import ReplicaConfig
from tests.source_tree import ROOT, SOURCE_ROOTS, text_files
from tests.sql_document import DOCUMENT as SQL_DOCUMENT
from tests.sql_document import document as sql_document
from tests.test_tidy import assert_none

# Every command that a document tells the reader to type, and the test or the rule that runs it.
COVERED_BY: Final = {
    "make setup": ".ci/run",
    "make test": ".ci/run",
    "make demo": "tests/end_to_end/test_demo.py",
    "make check": "Makefile",
    "make bench": "tests/performance/test_goals.py",
    "make simulate": "tests/proof/simulation",
    "antiphon up": "tests/end_to_end",
    "antiphon sql": "tests/end_to_end",
    "antiphon subscribe": "tests/end_to_end",
    "antiphon status": "tests/end_to_end",
    "antiphon config": "tests/client/test_cli.py",
}
# Words that one of ours replaces: (what not to say, what to say).
SYNONYMS: Final = {
    r"watermarks?": "frontier",
    r"hydrates? the cache": "hydration",
    r"low[- ]water[- ]mark": "since",
    r"LSNs?": "position",
    r"leader election": "epoch",
    r"fail-?over node": "replica",
}
GLOSSARY: Final = Path("docs/glossary.md")
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def documents() -> list[tuple[Path, str]]:
    return [(path, text) for path, text in text_files() if path.suffix == ".md"]


def commands(text: str) -> Iterator[str]:
    """Lines of shell blocks, continuation lines joined."""
    for language, block in FENCE.findall(text):
        if language == "sh":
            yield from filter(None, block.replace("\\\n", " ").splitlines())


def anchor(heading: str) -> str:
    """The fragment by which a heading is linked."""
    words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return words.replace(" ", "-")


def test_every_link_leads_somewhere() -> None:
    offences = []
    for path, text in documents():
        prose = FENCE.sub("", text)
        for target in LINK.findall(prose):
            if "://" in target:
                continue
            name, _, fragment = target.partition("#")
            file = (ROOT / path).parent / name if name else ROOT / path
            if not file.exists():
                offences.append(f"{path}: {target} is not there")
            elif fragment and fragment not in {
                anchor(line.lstrip("#")) for line in file.read_text("utf-8").splitlines()
                if line.startswith("#")
            }:  # fmt: skip
                offences.append(f"{path}: {target} has no such heading")
    assert_none(offences)


@pytest.mark.parametrize("name", ["README.md", "tests/performance/README.md"])
def test_every_command_is_run_by_something(name: str) -> None:
    offences = []
    for line in commands((ROOT / name).read_text("utf-8")):
        command = " ".join(line.removeprefix(".venv/bin/").split()[:2])
        covered = COVERED_BY.get(command)
        if covered is None or not (ROOT / covered).exists():
            offences.append(f"{name}: nothing runs `{line}`")
    assert_none(offences)


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert_none(
        f"{path}: make {target}"
        for path, text in documents()
        for target in re.findall(r"`make ([a-z-]+)", text)
        if target not in targets
    )


def test_the_glossary_defines_each_word_once() -> None:
    text = (ROOT / GLOSSARY).read_text("utf-8")
    rows = re.findall(r"^\| (\*\*.+?) \| (.+) \|$", text, re.MULTILINE)
    words = [word for names, _ in rows for word in re.findall(r"\*\*(.+?)\*\*", names)]
    assert len(words) > 50, "the glossary's tables were not found"
    assert_none(f"{word} twice" for word in words if words.count(word) > 1)


def test_no_word_of_others_stands_for_one_of_ours() -> None:
    found = {
        re.compile(rf"\b{pattern}\b", re.IGNORECASE): ours for pattern, ours in SYNONYMS.items()
    }
    assert_none(
        f"{path}:{number}: say {ours}: {line.strip()}"
        for path, text in text_files()
        if path.name != "test_documents.py"
        for number, line in enumerate(text.splitlines(), 1)
        for pattern, ours in found.items()
        if pattern.search(line)
    )


def test_every_decision_is_listed_with_its_reasons() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text("utf-8")
    offences = []
    for path in sorted(folder.glob("[0-9]*.md")):
        text = path.read_text("utf-8")
        if f"({path.name})" not in index:
            offences.append(f"{path.name} is not in the index")
        for part in ("The case.", "What we do.", "What it costs.", "What would change it."):
            if f"**{part}**" not in text:
                offences.append(f"{path.name} does not say: {part}")
    assert_none(offences)


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    names = {
        re.split(r"[<>=!~ ]", requirement)[0]
        for group in groups
        for requirement in group
        if isinstance(requirement, str)
    }
    text = (ROOT / "docs/dependencies.md").read_text("utf-8")
    # A family is named once: grpcio-health-checking, -reflection, -status.
    short = {name: name.replace("grpcio-", "-", 1) for name in names}
    assert_none(name for name in sorted(names) if name not in text and short[name] not in text)


def test_the_map_names_every_source_root_and_only_what_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert_none(root for root in SOURCE_ROOTS if f"| **{root}/** |" not in text)
    place, offences = ROOT, []
    for cell in re.findall(r"^\| (.+?) \|", text.partition("## The map")[2], re.MULTILINE):
        if found := re.fullmatch(r"\*\*(\w+)/\*\*", cell):
            place = ROOT / found[1] / "antiphon"
            # A root holds the package of its name; the client's and the proof's hold several.
            place = place if found[1] in {"client"} else place / found[1]
        for name in re.findall(r"`([\w/]+)`", cell):
            if not (place / name).is_dir() and not (place / f"{name}.py").is_file():
                offences.append(f"{(place / name).relative_to(ROOT)} is not there")
    assert_none(offences)


def test_every_setting_is_documented_with_its_default() -> None:
    text = (ROOT / "docs/configuration.md").read_text("utf-8")
    parts: dict[str, type[BaseSettings]] = {
        "client": ClientSettings, "controller": ControllerConfig, "replica": ReplicaConfig,
    }  # fmt: skip
    offences = []
    for part, settings in parts.items():
        _, _, section = text.partition(f"## `[{part}]`")
        rows = [row for row in section.partition("\n## ")[0].splitlines() if row.startswith("| `")]
        for name, field in settings.model_fields.items():
            row = next((row for row in rows if f"`{name}`" in row.split(" | ")[0]), None)
            default = default_of(field)
            if row is None or default not in row.split(" | ")[1]:
                offences.append(f"{part}.{name} = {default}")
    assert_none(offences)


def default_of(field: FieldInfo) -> str:
    """As the document writes it."""
    match field.get_default(call_default_factory=True):
        case None:
            return "none"
        case bool() as value:
            return f"`{str(value).lower()}`"
        case () as value:
            return "`[]`"
        case value:
            return f"`{value}`"


def test_the_lock_was_made_from_what_is_required() -> None:
    """Each requirement is locked at a version inside its bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    locked: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock, re.MULTILINE):
        locked.setdefault(name, []).append(version)
    wanted = [
        Requirement(entry)
        for group in (project["project"]["dependencies"], *project["dependency-groups"].values(),
                      *project["project"]["optional-dependencies"].values())
        for entry in group if isinstance(entry, str)
    ]  # fmt: skip
    assert_none(
        f"{requirement}: locked is {locked.get(requirement.name)}; run `make lock`"
        for requirement in wanted
        if not all(requirement.specifier.contains(v) for v in locked.get(requirement.name, ["-1"]))
    )


def test_the_document_of_sql_is_current() -> None:
    current = SQL_DOCUMENT.read_text("utf-8")
    assert current == sql_document(), "run `python -m tests.sql_document`"
