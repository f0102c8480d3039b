"""Records the wire's shape, beside what generates its code: `make proto`.

A change that breaks what was recorded is refused; `--break` says that nobody speaks it yet.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.source_tree import ROOT
from tests.wire.shape import breaks, shape

RECORDED: Final = ROOT / "tests/recordings/wire/antiphon.v1.txt"
PROTO: Final = ROOT / "proto"


def sources() -> list[str]:
    return [path.relative_to(PROTO).as_posix() for path in sorted(PROTO.rglob("*.proto"))]


def descriptors() -> FileDescriptorSet:
    """The sources as protoc understands them.

    Raises:
        CalledProcessError: a source is wrong; protoc's own words are its stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "set.binpb"
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}"]
        command = [*protoc, f"--descriptor_set_out={target}", *sources()]
        subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True)
        return FileDescriptorSet.FromString(target.read_bytes())


def recorded() -> list[str]:
    return RECORDED.read_text("utf-8").splitlines() if RECORDED.exists() else []


def main(arguments: list[str]) -> int:
    try:
        now = shape(descriptors())
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        return 1
    broken = breaks(recorded(), now)
    if broken and "--break" not in arguments:
        print("These would break whoever speaks the recorded wire:", *broken, sep="\n  ")
        return 1
    RECORDED.parent.mkdir(parents=True, exist_ok=True)
    RECORDED.write_text("\n".join(now) + "\n", "utf-8")
    print(f"{len(now)} lines of shape recorded")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
