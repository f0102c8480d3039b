"""Settings: checked before they are durable, merged in order, in force at once and afterwards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.instance.settings import (
    SETTINGS,
    checked,
    in_force,
    merged,
    values_in_force,
)
from antiphon.controller.instance.state import InstanceConfig
from antiphon.protocol.command import DEFAULT_SETTING, UpdateConfiguration
from antiphon.protocol.errors import InvalidArgument
from antiphon.replica.configuration import DEFAULTS, Configuration
from tests.controller.instance.machine import CONFIG


def test_the_controller_and_the_replica_mean_the_same_by_default() -> None:
    ours = {name: s.default for name, s in SETTINGS.items() if s.default is not None}
    assert ours == DEFAULTS
    for name, setting in SETTINGS.items():
        assert hasattr(CONFIG, name) is (setting.default is None)


@given(st.sampled_from(sorted(SETTINGS)), st.integers(-5, 10**12) | st.text(max_size=5))
def test_what_is_accepted_is_within_bounds_and_understood_by_all(
    name: str, value: int | str
) -> None:
    try:
        accepted = checked(name, str(value))
    except InvalidArgument:
        return
    assert SETTINGS[name].minimum <= int(accepted) <= SETTINGS[name].maximum
    Configuration().updated({name: accepted})
    in_force(CONFIG, UpdateConfiguration(values={name: accepted}))


@pytest.mark.parametrize("value", ["", "-1", "1.5", "x", "9" * 40, "1e3", " 5"])
def test_other_values_are_refused(value: str) -> None:
    with pytest.raises(InvalidArgument, match="retain_ms"):
        checked("retain_ms", value)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(InvalidArgument, match="hydration_limit"):
        checked("retention", "1")


def test_later_values_win_and_default_takes_one_back() -> None:
    def config_after(*updates: dict[str, str]) -> InstanceConfig:
        update = None
        for values in updates:
            update = merged(update, values)
        return in_force(CONFIG, update)

    assert config_after() == CONFIG
    changed = config_after({"retain_ms": "7", "hydration_limit": "2"}, {"retain_ms": "9"})
    assert (changed.retain_ms, changed.hydration_limit) == (9, 2)
    assert config_after({"retain_ms": "7"}, {"retain_ms": DEFAULT_SETTING}) == CONFIG
    assert config_after({"result_bytes_max": "7", "from_the_future": "x"}) == CONFIG


def test_people_see_what_is_in_force() -> None:
    update = UpdateConfiguration(values={"retain_ms": "7", "result_bytes_max": "8"})
    values = values_in_force(CONFIG, update)
    assert set(values) == set(SETTINGS)
    assert (values["retain_ms"], values["result_bytes_max"]) == ("7", "8")
    assert values["inline_bytes_max"] == str(DEFAULTS["inline_bytes_max"])
    assert values["hydration_limit"] == str(CONFIG.hydration_limit)
