"""Expressions with a grammar of their own."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_forms_are_typed_or_refused_as_recorded() -> None:
    check("forms")
