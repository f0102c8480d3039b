"""What holds for every test: how hypothesis searches, and that gRPC tells only of errors."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Two cores may be shared by much else: slowness of the machine is no property of the code.
# And whether a change is good does not hang on luck: the same examples each time. `thorough` draws
# others, each time anew, to find what those miss.
settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    derandomize=True,
    database=None,
)
settings.register_profile("quick", settings.get_profile("default"), max_examples=20)
settings.register_profile(
    "thorough", settings.get_profile("default"), max_examples=2_000, derandomize=False
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Connections that tests cut on purpose are news to gRPC; it reads this before it is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


@pytest.fixture(scope="session", autouse=True)
def state_directory(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Commands that fail log their traceback there, and not in the folder of who runs the tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
