"""Names of time zones as PostgreSQL means them."""

from __future__ import annotations

import pytest

from antiphon.protocol.zone_names import UTC, iana_name


@pytest.mark.parametrize("name", ["UTC", "z", "Gmt", "WET"])
def test_some_names_are_that_of_no_offset(name: str) -> None:
    assert iana_name(name) == UTC


def test_an_abbreviation_has_one_offset_all_the_year() -> None:
    assert [iana_name(name) for name in ("CET", "MET", "EET")] == [
        "Etc/GMT-1", "Etc/GMT-1", "Etc/GMT-2",
    ]  # fmt: skip


def test_all_other_names_are_those_of_the_database() -> None:
    assert iana_name("Europe/Berlin") == "Europe/Berlin"
    assert iana_name("Etc/GMT+2") == "Etc/GMT+2"


@pytest.mark.parametrize("name", ["", "+02", "-5", "../x", "GMT+2", "1"])
def test_offsets_and_paths_are_no_names(name: str) -> None:
    assert iana_name(name) is None
