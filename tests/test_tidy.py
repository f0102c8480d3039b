"""The style's rules that a machine can check, over the sources themselves.

Each test gathers all offences, so that one run shows all there is to do.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

from tests.source_tree import (
    ROOT,
    SOURCE_ROOTS,
    Function,
    Module,
    product_modules,
    test_modules,
    text_files,
)

FILE_LINES_MAX: Final = 450
FUNCTION_LINES_MAX: Final = 60  # its docstring apart

IMPURE_IMPORTS: Final = frozenset(
    {
        "asyncio",
        "concurrent",
        "grpc",
        "http",
        "logging",
        "multiprocessing",
        "os",
        "random",
        "secrets",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "structlog",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
    }
)
# Names that read a clock, draw at random, depend on the hash seed, or touch the world.
IMPURE_CALLS: Final = re.compile(
    r"^(hash|id|open|print|input|uuid\.uuid[14]|(np|numpy)\.random\..*"
    r"|(datetime\.)*(datetime|date)\.(now|utcnow|today))$"
)
VAGUE_NAMES: Final = frozenset(
    {"base", "common", "helper", "helpers", "misc", "shared", "util", "utils"}
)
MUTATORS: Final = re.compile(
    "add|append|clear|discard|extend|insert|pop|popitem|popleft|remove|send|setdefault|update|write"
)
# Imported only when there is something of theirs to handle.
BROUGHT_ALONG: Final = ("pandas", "duckdb")
UNFINISHED: Final = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK|PLACE" r"HOLDER)\b")
LOCAL_PATHS: Final = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/\w")

# Folders with one front door, whose modules, and those of folders inside, are tested through it: as
# a user would see a fault, and against an oracle. Everywhere else a pure module has its own tests.
TESTED_AS_ONE: Final = {
    "replica/antiphon/replica/dataflow": "tests/replica/dataflow/test_operators.py",
    "replica/antiphon/replica/dataflow/expressions": "tests/replica/dataflow/test_expressions.py",
    "replica/antiphon/replica/dataflow/operators": "tests/replica/dataflow/test_operators.py",
    "proof/antiphon/proof/simulation": "tests/proof/simulation/test_run.py",
    "proof/antiphon/proof/conformance/controllers": (
        "tests/proof/conformance/controllers/test_own_controller.py"
    ),
}
# Single modules of the same kind.
TESTED_ELSEWHERE: Final = {
    "protocol/antiphon/protocol/buffers.py": "tests/protocol/test_row_hash.py",
}


def assert_none(offences: Iterable[str]) -> None:
    found = list(dict.fromkeys(offences))  # a line that offends twice is one place to go to
    assert not found, f"{len(found)} offences:\n" + "\n".join(found)


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of names and attributes; anything else counts as no name."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{dotted(value)}.{attribute}"
        case _:
            return ""


def is_set(node: ast.expr) -> bool:
    """Whether the expression is a set by its very form."""
    return isinstance(node, ast.Set | ast.SetComp) or (
        isinstance(node, ast.Call) and dotted(node.func) in {"set", "frozenset"}
    )


def docstring_lines(function: Function) -> int:
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is None:
        return 0
    assert first.end_lineno is not None
    return first.end_lineno - first.lineno + 1


def only_declares(module: Module) -> bool:
    """Whether no function of the module does anything: values, protocols, constants."""
    return all(
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        for function in module.functions()
        for statement in function.body
    )


def test_only_io_touches_the_world() -> None:
    assert_none(
        module.at(line, f"imports {name.partition('.')[0]} outside io/")
        for module in product_modules()
        if not module.does_io
        for name, line in module.imports()
        if name.partition(".")[0] in IMPURE_IMPORTS
    )


def test_pure_modules_call_nothing_that_differs_between_runs() -> None:
    assert_none(
        module.at(node.lineno, f"calls {dotted(node.func)}()")
        for module in product_modules()
        if not module.does_io
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and IMPURE_CALLS.match(dotted(node.func))
    )


def test_pure_modules_import_no_io_module() -> None:
    # A package's front door may show what its io/ offers; nobody decides anything there.
    assert_none(
        module.at(line, f"imports {name}")
        for module in product_modules()
        if not module.does_io and module.name != "__init__"
        for name, line in module.imports()
        if name.startswith("antiphon.") and "io" in name.split(".")
    )


def test_the_product_does_not_import_its_tests() -> None:
    assert_none(
        module.at(line, f"imports {name}")
        for module in product_modules()
        for name, line in module.imports()
        if name.partition(".")[0] in {"tests", "pytest", "hypothesis"}
    )


def test_every_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    run_time = [project["project"]["dependencies"]]
    anywhere = [
        *run_time,
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    offences = []
    distributions = packages_distributions()
    for modules, groups in ((product_modules(), run_time), (test_modules(), anywhere)):
        declared = {
            re.split(r"[^A-Za-z0-9-]", requirement)[0].lower()
            for group in groups
            for requirement in group
            if isinstance(requirement, str)
        }
        for module in modules:
            for name, line in module.imports():
                top = name.partition(".")[0]
                owners = {owner.lower().replace("_", "-") for owner in distributions.get(top, [])}
                theirs = "peers" in module.path.parts or top in BROUGHT_ALONG
                if owners and not theirs and owners.isdisjoint(declared | {"antiphon"}):
                    offences.append(module.at(line, f"{top} of {', '.join(sorted(owners))}"))
    assert_none(offences)


def test_files_are_small() -> None:
    assert_none(
        module.at(1, f"{lines} lines, at most {FILE_LINES_MAX}")
        for module in (*product_modules(), *test_modules())
        if (lines := module.text.count("\n")) > FILE_LINES_MAX
    )


def test_functions_are_small() -> None:
    offences = []
    for module in product_modules():
        for function in module.functions():
            assert function.end_lineno is not None
            lines = function.end_lineno - function.lineno + 1 - docstring_lines(function)
            if lines > FUNCTION_LINES_MAX:
                what = f"{function.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"
                offences.append(module.at(function.lineno, what))
    assert_none(offences)


def test_no_module_has_a_vague_name() -> None:
    assert_none(
        module.at(1, f"named {part}")
        for module in (*product_modules(), *test_modules())
        for part in (*module.path.parent.parts, module.name)
        if part in VAGUE_NAMES
    )


def test_every_module_says_what_it_owns() -> None:
    assert_none(
        module.at(1, "has no docstring")
        for module in (*product_modules(), *test_modules())
        if module.text.strip() and ast.get_docstring(module.tree) is None
    )


def test_antiphon_stays_a_namespace() -> None:
    assert_none(
        f"{root}/antiphon/__init__.py"
        for root in SOURCE_ROOTS
        if (ROOT / root / "antiphon" / "__init__.py").exists()
    )


def test_asserts_change_nothing() -> None:
    def changes(node: ast.AST) -> bool:
        match node:
            case ast.NamedExpr() | ast.Await() | ast.Yield() | ast.YieldFrom():
                return True
            case ast.Call(func=ast.Attribute(attr=attribute)):
                return MUTATORS.fullmatch(attribute) is not None
            case ast.Call(func=ast.Name(id="next")):
                return True
            case _:
                return False

    assert_none(
        module.at(statement.lineno, "an assert with a side effect")
        for module in product_modules()
        for statement in ast.walk(module.tree)
        if isinstance(statement, ast.Assert)
        if any(changes(node) for node in ast.walk(statement.test))
    )


def test_no_order_comes_out_of_a_set() -> None:
    offences = []
    for module in product_modules():
        for node in ast.walk(module.tree):
            match node:
                case ast.For(iter=source) | ast.AsyncFor(iter=source) if is_set(source):
                    offences.append(module.at(node.lineno, "a loop over a set"))
                case ast.ListComp(generators=generators) | ast.DictComp(generators=generators) if (
                    any(is_set(generator.iter) for generator in generators)
                ):
                    offences.append(module.at(node.lineno, "a comprehension over a set"))
                case ast.Call(func=function, args=[first, *_]) if dotted(function) in {
                    "list",
                    "tuple",
                    "iter",
                    "enumerate",
                } and is_set(first):
                    offences.append(module.at(node.lineno, "a sequence out of a set"))
    assert_none(offences)


def test_no_error_is_swallowed_whole() -> None:
    broad = {"", "Exception", "BaseException"}

    def swallows(node: ast.AST) -> bool:
        match node:
            case ast.ExceptHandler(type=caught, body=body):
                silent = all(
                    isinstance(line, ast.Pass | ast.Continue)
                    or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
                    for line in body
                )
                return silent and (caught is None or dotted(caught) in broad)
            case ast.Call(func=function, args=arguments) if dotted(function).endswith("suppress"):
                return any(dotted(argument) in broad for argument in arguments)
            case _:
                return False

    assert_none(
        module.at(getattr(node, "lineno", 1), "swallows every error")
        for module in product_modules()
        for node in ast.walk(module.tree)
        if swallows(node)
    )


def test_every_pure_module_has_its_own_tests() -> None:
    tests = {(module.path.parts[1], module.name) for module in test_modules()}
    offences = []
    for module in product_modules():
        path, folder = module.path.as_posix(), module.path.parent.as_posix()
        if module.does_io or module.name == "__init__" or only_declares(module):
            continue
        names = {f"test_{module.name}", f"test_{module.path.parent.name}_{module.name}"}
        tested = any((module.root, name) in tests for name in names)
        as_one = any(f"{folder}/".startswith(f"{front}/") for front in TESTED_AS_ONE)
        if not tested and not as_one and path not in TESTED_ELSEWHERE:
            offences.append(module.at(1, "has no test module"))
        elif tested and path in TESTED_ELSEWHERE:
            offences.append(module.at(1, "has a test module: take it off the list"))
    assert_none(offences)


def test_the_exceptions_name_files_that_exist() -> None:
    assert_none(
        path
        for exceptions in (TESTED_AS_ONE, TESTED_ELSEWHERE)
        for pair in exceptions.items()
        for path in pair
        if not (ROOT / path).exists()
    )


def test_no_test_is_skipped_and_nothing_of_ours_is_mocked() -> None:
    forbidden = re.compile(r"(^|\.)(mark\.)?(skip|skipif|xfail|importorskip)$")
    offences = []
    for module in test_modules():
        for name, line in module.imports():
            if name.startswith(("unittest.mock", "mock")):
                offences.append(module.at(line, "mocks"))
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and forbidden.search(dotted(node)):
                offences.append(module.at(node.lineno, "skips a test"))
    assert_none(offences)


def test_nothing_is_left_unfinished() -> None:
    assert_none(
        f"{path}:{number}: {line.strip()}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if UNFINISHED.search(line) and path != Path("tests/test_tidy.py")
    )


def test_no_path_of_somebodys_machine_is_written_down() -> None:
    assert_none(
        f"{path}:{number}: {line.strip()}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if LOCAL_PATHS.search(line)
    )
