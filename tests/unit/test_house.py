"""What holds for the project as a whole: its names, its lists, its source."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
SOURCE = HOUSE / "src"
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())
MODULES = sorted(SOURCE.rglob("*.py"))
LOCKS = sorted((HOUSE / "requirements").glob("*.txt"))
LONGEST_FUNCTION = 70
TESTS = sorted((HOUSE / "tests").rglob("*.py"))
CLOCKS = {"sleep", "monotonic", "monotonic_ns", "perf_counter", "process_time"}
MAY_LOOK_AT_A_CLOCK = (
    "support/waiting.py",
    "support/effort.py",
    "support/servers/proxy.py",  # stalls on purpose
    "faults/",  # run by hand, as long as it takes
    "fuzz/",  # the same
)
WAITS = {"wait", "join", "result", "communicate"}


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported_roots(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield (node.module or "").partition(".")[0]


def pins(lock: Path) -> list[str]:
    return re.findall(r"^[a-z0-9._-]+==\S+", lock.read_text(), re.MULTILINE)


def test_import_names_are_the_folders_under_src() -> None:
    roots = {folder.name for folder in SOURCE.iterdir() if (folder / "__init__.py").exists()}
    assert set(PROJECT["project"]["import-names"]) == roots
    assert all((SOURCE / root / "py.typed").exists() for root in roots)


def test_installed_metadata_declares_the_import_names() -> None:
    declared = metadata.metadata("open-commerce").get_all("Import-Name")
    assert sorted(declared or ()) == sorted(PROJECT["project"]["import-names"])


def test_core_is_found_to_compose_by_its_entry_point() -> None:
    (found,) = metadata.entry_points(group="commerce.composition")
    assert (found.name, found.value) == ("connect", "entrypoints.compose:connect")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_locks_pin_by_hash_and_name_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|^\s*-(?!-hash=sha256:)| @ ", text, re.MULTILINE)
    hashed = r"^[a-z0-9._-]+==.*(?:\n +--hash=sha256:[0-9a-f]{64}.*)+$"
    assert len(re.findall(hashed, text, re.MULTILINE)) == len(pins(lock)) > 0


def test_each_lock_holds_the_one_before_it() -> None:
    runtime, test, check = (
        set(pins(HOUSE / "requirements" / name))
        for name in ("runtime.txt", "test.txt", "check.txt")
    )
    assert runtime < test < check


def test_nothing_is_left_open_in_the_source() -> None:
    left_open = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    files = [*MODULES, *(HOUSE / "tests").rglob("*.py")]
    assert [file for file in files if left_open.search(file.read_text())] == []


def test_functions_are_short() -> None:
    long = [
        f"{module.relative_to(SOURCE)}:{function.lineno} {function.name}"
        for module in MODULES
        for function in functions(module)
        if function.end_lineno and function.end_lineno - function.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_core_uses_attrs_and_no_other_library() -> None:
    allowed = sys.stdlib_module_names | {"attrs", "commerce_core", "_typeshed"}  # for types alone
    strangers = {
        module.name: sorted(set(imported_roots(module)) - allowed)
        for module in (SOURCE / "commerce_core").rglob("*.py")
    }
    assert {name: found for name, found in strangers.items() if found} == {}


def test_core_is_imported_without_any_library_but_attrs() -> None:
    report = "import sys; a = set(sys.modules); import commerce_core; print(*set(sys.modules) - a)"
    shown = subprocess.run(
        [sys.executable, "-I", "-c", report], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in shown.stdout.split()}
    assert loaded - sys.stdlib_module_names <= {"attr", "attrs", "commerce_core"}


def test_tests_look_at_no_clock() -> None:
    """They wait for events and measure effort, which a busy machine changes nothing about."""
    assert [
        f"{test.relative_to(HOUSE)}:{node.lineno}"
        for test in TESTS
        if not str(test.relative_to(HOUSE / "tests")).startswith(MAY_LOOK_AT_A_CLOCK)
        for node in ast.walk(ast.parse(test.read_text()))
        if isinstance(node, ast.expr | ast.stmt)
        if reads_a_clock(node) or waits_by_a_deadline(node)
    ] == []


def reads_a_clock(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(module="time", names=names):
            return any(alias.name in CLOCKS for alias in names)
        case ast.Attribute(value=ast.Name(id="time"), attr=attr):
            return attr in CLOCKS
        case _:
            return False


def waits_by_a_deadline(node: ast.AST) -> bool:
    """Whether a number of seconds of its own limits how long something may take."""
    if not isinstance(node, ast.Call):
        return False
    given = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
    if isinstance(node.func, ast.Attribute) and node.func.attr in WAITS:
        given += node.args[:1]
    numbers = [value.value for value in given if isinstance(value, ast.Constant)]
    return any(isinstance(number, int | float) for number in numbers)


def test_what_make_test_leaves_out_is_marked_so() -> None:
    """`make check` leaves out nothing, and it alone asks how much is covered."""
    makefile = (HOUSE / "Makefile").read_text()
    (left_out,) = re.findall(r'^\t.* -m "not (.+)" \$\(ARGS\)$', makefile, re.MULTILINE)
    marks = [line.partition(":")[0] for line in PROJECT["tool"]["pytest"]["markers"]]
    assert left_out.split(" and not ") == marks
    assert len(re.findall("--cov ", makefile)) == 1
