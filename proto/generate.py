"""Regenerate what follows from the protocol: `antiphon.v1` from the sources beside this file, and
`docs/protocol.md` from the code that speaks it.

    python proto/generate.py            write
    python proto/generate.py --check    change nothing; exit 1 and name what is not current

The generator is pinned low in pyproject.toml: generated code demands a runtime at least as new as
its generator, so an old generator keeps the range of runtimes wide.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "proto"
PACKAGE = Path("antiphon/v1")
TARGET = ROOT / "protocol"


def sources() -> list[Path]:
    """The proto files, relative to `proto/`, in the order of their names."""
    return sorted(path.relative_to(SOURCES) for path in (SOURCES / PACKAGE).glob("*.proto"))


def has_services(source: Path) -> bool:
    text = (SOURCES / source).read_text(encoding="utf-8")
    return any(line.startswith("service ") for line in text.splitlines())


def run_protoc(arguments: list[str]) -> None:
    include = resources.files(grpc_tools) / "_proto"
    plugins = Path(sys.executable).parent  # that of this environment, also when it is not active
    command = [
        "protoc",
        f"--proto_path={SOURCES}",
        f"--proto_path={include}",
        f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
        *arguments,
    ]
    if protoc.main(command) != 0:
        raise SystemExit("protoc failed")


def generate(target: Path) -> None:
    """Write messages and stubs for all files, service code only for files that have services."""
    every = [str(source) for source in sources()]
    run_protoc([f"--python_out={target}", f"--mypy_out=quiet:{target}", *every])
    serving = [str(source) for source in sources() if has_services(source)]
    run_protoc([f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", *serving])


def differences(generated: Path, committed: Path) -> list[str]:
    """Names of files that are missing, left over, or not the same."""
    new = {path.name: path.read_bytes() for path in generated.glob("*_pb2*.py*")}
    old = {path.name: path.read_bytes() for path in committed.glob("*_pb2*.py*")}
    return sorted(name for name in new.keys() | old.keys() if new.get(name) != old.get(name))


def document(*arguments: str) -> int:
    """The document comes from a process of its own: this one may have imported the old messages."""
    command = [sys.executable, str(SOURCES / "document.py"), *arguments]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description="Regenerate antiphon.v1 from proto/.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail on a difference")
    check = parser.parse_args().check
    committed = TARGET / PACKAGE
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        generated = Path(scratch) / PACKAGE
        changed = differences(generated, committed)
        if check:
            for name in changed:
                print(f"{(PACKAGE / name)} is not current: run `make proto`")
            return 1 if changed else document("--check")
        for name in changed:
            source = generated / name
            if source.exists():
                (committed / name).write_bytes(source.read_bytes())
            else:
                (committed / name).unlink()
    print(f"{len(changed)} file(s) of {PACKAGE} changed")
    return document()


if __name__ == "__main__":
    raise SystemExit(main())
