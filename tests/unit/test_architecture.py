"""The rules of the house, read from the source: who may import what, how long things are, and that nothing is swallowed."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "schemas", "processors", "sinks", "deploy")
MODULES = sorted(path.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py"))

FAUST = {"processors/transport.py", "processors/stage.py", "processors/agents.py"}
# Where bytes enter or leave Kafka; `cli/run.py` the errors that it words.
KAFKA = {
    *FAUST,
    "pipeline/cli/run.py",
    "pipeline/delivery.py",
    "pipeline/intake/outbox.py",
    "pipeline/lag.py",
    "pipeline/produce.py",
    "pipeline/producer.py",
    "pipeline/rawlog.py",
    "pipeline/redriver.py",
    "pipeline/standing.py",
    "pipeline/topics_admin.py",
    "processors/changelog.py",
    "processors/transaction.py",
    "pipeline/watch/alert_log.py",
    "sinks/consumer.py",
    "sinks/fetched.py",
    "sinks/rejects.py",
    "sinks/subscription.py",
}
CLICKHOUSE = {"sinks/clickhouse.py", "sinks/native/stream.py"}
PURE = {
    *(
        f"processors/{name}.py"
        for name in (
            "shelf_manifest",
            "validate",
            "dedupe",
            "runs",
            "policies",
            "scores",
            "intervals",
            "cell",
            "person",
            "state",
            "store",
        )
    ),
    *(f"processors/{name}.py" for name in ("resolve", "journey", "intervals", "poison")),
    *(
        f"pipeline/{name}.py"
        for name in ("events", "keys", "flow", "reconcile", "schema_answers", "topics", "watchdog")
    ),
    *(
        f"pipeline/replay/{name}.py"
        for name in ("documents", "fields", "lines", "mapper", "plan", "records", "row", "trial", "values")
    ),
    *(
        f"pipeline/codec/{name}.py"
        for name in (
            "arrays",
            "arrow",
            "choice",
            "columns",
            "reference",
            "shapes",
            "strict",
            "unrolled",
            "varint",
            "ways",
            "wire",
            "writers",
        )
    ),
    *(
        f"pipeline/intake/{name}.py"
        for name in (
            "avro_bodies",
            "bodies",
            "judging",
            "keys",
            "mapped",
            "mapped_bodies",
            "mapped_json",
            "mapped_rows",
            "rate",
            "reading",
            "recent",
            "shape",
            "times",
            "verdicts",
        )
    ),
    *(f"pipeline/health/{name}.py" for name in ("alerts", "drift", "fields", "judge", "unreadable", "usual")),
    "processors/rejects.py",
    "processors/rekey.py",
    "processors/skew.py",
    "processors/clocks.py",
    "processors/stops.py",
    "pipeline/partitions.py",
    "pipeline/breaker.py",
    "sinks/assignment.py",
    "sinks/ranges.py",
    "sinks/decisions.py",
    "sinks/native/arrays.py",
    "sinks/native/kinds.py",
    "sinks/native/lists.py",
    "sinks/rows.py",
    "schemas/compatibility.py",
    "schemas/lateness.py",
    "schemas/namespaces.py",
    "schemas/walk.py",
}
# Schemas are files of ours that never change, so reading them is as good as having them in the source.
GIVEN_TO_PURE = {"schemas.registry"}
IMPURE = {
    "time",
    "random",
    "secrets",
    "uuid",
    "logging",
    "os",
    "socket",
    "threading",
    "subprocess",
    "asyncio",
    "prometheus_client",
}
CLOCKS = {"now", "utcnow", "today", "localtime", "gmtime"}
MODULE_LINES = 350
FUNCTION_LINES = 60
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(module: str) -> ast.Module:
    """The syntax of a module."""
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """Everything that a module imports, wherever in it, by full name."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def importers(*packages: str) -> set[str]:
    """The modules that import any of these packages."""
    return {module for module in MODULES if {name.partition(".")[0] for name in imports(module)} & set(packages)}


def test_faust_is_known_to_the_shell_of_the_stages_alone() -> None:
    """Everything else could run without it."""
    assert importers("faust", "mode") <= FAUST


def test_kafka_is_known_where_bytes_enter_or_leave() -> None:
    """Whoever is new here must be added to the list, on purpose."""
    found = {module for module in importers("kafka", "aiokafka") if not module.startswith("deploy/")}
    assert found <= KAFKA


def test_clickhouse_is_known_to_the_sink_and_the_board() -> None:
    """And to the embedded server."""
    found = importers("clickhouse_driver", "chdb")
    assert {m for m in found if not m.startswith(("pipeline/serve/", "deploy/embedded/"))} <= CLICKHOUSE


def test_lists_name_modules_that_exist() -> None:
    """A module that was renamed is not watched any more."""
    assert set(MODULES) >= FAUST | KAFKA | CLICKHOUSE | PURE


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_know_no_clock_chance_log_or_network(module: str) -> None:
    """Values in, values out; `now` is an argument."""
    names = imports(module)
    assert not {name.partition(".")[0] for name in names} & IMPURE
    read = {node.attr for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute)}
    assert not read & CLOCKS
    called = {
        node.func.id
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"print", "input", "open"}


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_build_on_pure_modules(module: str) -> None:
    """Of ours; what lies under them is pure, too."""
    known = {name.removesuffix(".py").replace("/", "."): name for name in MODULES}
    ours = {name for name in imports(module) if name in known}
    assert {name for name in ours if known[name] not in PURE} <= GIVEN_TO_PURE


@pytest.mark.parametrize("module", MODULES)
def test_sizes(module: str) -> None:
    """Modules and functions that one can read in one go; a docstring does not count against a function."""
    assert (ROOT / module).read_text(encoding="utf-8").count("\n") <= MODULE_LINES
    for function in _functions(module):
        size = int(function.end_lineno or 0) - function.lineno + 1 - _docstring_lines(function)
        assert size <= FUNCTION_LINES, f"{function.name} has {size} lines"


def _functions(module: str) -> Iterator[Function]:
    return (node for node in ast.walk(tree(module)) if isinstance(node, Function))


def _docstring_lines(function: Function) -> int:
    first = function.body[0]
    return int(first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0


@pytest.mark.parametrize("module", MODULES)
def test_what_is_public_is_explained(module: str) -> None:
    """Modules, and their functions and classes."""
    named = [
        node
        for node in tree(module).body
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
    ]
    assert [node.name for node in named if not ast.get_docstring(node)] == []
    assert not tree(module).body or ast.get_docstring(tree(module))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_swallowed(module: str) -> None:
    """Whoever catches everything raises again."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ExceptHandler) and _caught(node) & {"", "Exception", "BaseException"}:
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            assert raises, f"line {node.lineno} catches everything and goes on"


def _caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {""}
    return {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_left_to_do(module: str) -> None:
    """No stubs."""
    text = (ROOT / module).read_text(encoding="utf-8")
    assert not [word for word in ("TODO", "FIXME", "XXX", "NotImplementedError") if word in text]
