"""Generates `antiphon.v1` from `proto/`, and records the wire's shape: `make proto`.

The generator is pinned low in pyproject.toml: code from a newer one would refuse older runtimes.
A change that breaks what was recorded is refused; `--break` says that nobody speaks it yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.source_tree import GENERATED, ROOT
from tests.wire.shape import breaks, shape

RECORDED: Final = ROOT / "tests/recordings/wire/antiphon.v1.txt"
PROTO: Final = ROOT / "proto"


def sources() -> list[str]:
    return [path.relative_to(PROTO).as_posix() for path in sorted(PROTO.rglob("*.proto"))]


def run_protoc(*options: str) -> None:
    """Raises CalledProcessError, with protoc's own words on stderr, if a source is wrong."""
    plugins = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *options, *sources()],
        check=True,
        env={**os.environ, "PATH": plugins},
        stderr=subprocess.PIPE,
        text=True,
    )


def generate(folder: Path) -> dict[str, str]:
    """Generated files by name, written below `folder`, each ready for `GENERATED`."""
    out = [f"--{kind}_out={folder}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    run_protoc(*out)
    made = folder / "antiphon/v1"
    return {path.name: path.read_text("utf-8") for path in sorted(made.iterdir())}


def descriptors() -> FileDescriptorSet:
    """The sources as protoc understands them."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "set.binpb"
        run_protoc(f"--descriptor_set_out={target}")
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
    with tempfile.TemporaryDirectory() as folder:
        files = generate(Path(folder))
    for name, text in files.items():
        (ROOT / GENERATED / name).write_text(text, "utf-8")
    RECORDED.parent.mkdir(parents=True, exist_ok=True)
    RECORDED.write_text("\n".join(now) + "\n", "utf-8")
    print(f"{len(files)} files in {GENERATED}; {len(now)} lines of shape recorded")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
