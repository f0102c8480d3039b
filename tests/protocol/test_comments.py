"""The format explains itself: every service, call and enum has a comment at its source."""

from __future__ import annotations

import re

from tests.source_tree import ROOT

SOURCES = sorted((ROOT / "proto/antiphon/v1").glob("*.proto"))
DECLARES = re.compile(r"\s*(service|rpc|enum) (\w+)")


def test_every_service_call_and_enum_says_what_it_is() -> None:
    silent = []
    for source in SOURCES:
        lines = source.read_text(encoding="utf-8").splitlines()
        for before, line in zip(["", *lines], lines, strict=False):
            declared = DECLARES.match(line)
            if declared is not None and not before.lstrip().startswith("//"):
                silent.append(f"{source.name}: {declared.group(2)}")
    assert not silent


def test_every_file_says_what_it_holds() -> None:
    for source in SOURCES:
        assert re.search(r"^//.*\npackage ", source.read_text(encoding="utf-8"), re.MULTILINE)
