"""The shape of the tree: who may import whom, who alone may use what, how large anything may get.

The rules are those of docs/how-it-works.md. When one of them is in the way, change it there and here, with the reason.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lynkr"
FILES = sorted(PACKAGE.rglob("*.py"))
VOCABULARY = {
    "answer",
    "changes",
    "conversation",
    "document",
    "errors",
    "events",
    "ids",
    "lane",
    "passage",
    "target",
    "usage",
}

# A part → the parts it may import. `vocabulary` stands for its modules.
MAY_IMPORT: dict[str, set[str]] = {
    "vocabulary": {"vocabulary"},
    "framing": {"vocabulary"},
    "formats": {"framing", "vocabulary"},
    "translate": {"formats", "framing", "vocabulary"},
    "transforms": {"vocabulary"},
    "routing": {"vocabulary"},
    "ledger": {"vocabulary"},
    "upstream": {"formats", "framing", "secrets", "vocabulary"},
    "proxy": {
        "answers",
        "formats",
        "framing",
        "health",
        "ledger",
        "routing",
        "secrets",
        "transforms",
        "translate",
        "upstream",
        "vocabulary",
    },
    "report": {"ledger", "paths", "vocabulary"},
    "running": {"paths"},
    "stands": {"paths", "running", "vocabulary"},
    "unsaved": {"ledger", "paths", "report", "vocabulary"},
    "telemetry": {"ledger", "vocabulary"},
    "audit": {"formats", "ledger", "plan", "proxy", "routing", "transforms", "vocabulary"},
    "furnish": {"kept", "ledger", "paths", "plan", "proxy", "transforms", "vocabulary"},
    "launch": {"vocabulary"},
    "paths": {"vocabulary"},
    "secrets": {"paths", "vocabulary"},
    "credentials": {"secrets", "upstream", "vocabulary"},
    "kept": {"paths", "vocabulary"},
    "health": {"paths", "routing", "vocabulary"},
    "answers": {"paths", "vocabulary"},
    "profile": {"answers", "routing", "transforms", "upstream", "vocabulary"},
    "profiles": {"paths", "profile", "routing", "vocabulary"},
    "probe": {"formats", "framing", "secrets", "translate", "upstream", "vocabulary"},
    "local": {"upstream", "vocabulary"},
    "plan": {
        "credentials",
        "launch",
        "paths",
        "profile",
        "profiles",
        "routing",
        "secrets",
        "transforms",
        "upstream",
        "vocabulary",
    },
    "diagnosis": {
        "credentials",
        "health",
        "launch",
        "ledger",
        "local",
        "paths",
        "plan",
        "probe",
        "profile",
        "profiles",
        "secrets",
        "vocabulary",
    },
    "editing": {"paths", "profile", "profiles", "vocabulary"},
    "join": {"running", "launch", "paths", "plan", "upstream", "vocabulary"},
    "session": {
        "furnish",
        "join",
        "kept",
        "launch",
        "ledger",
        "paths",
        "plan",
        "proxy",
        "report",
        "running",
        "transforms",
        "unsaved",
        "vocabulary",
    },
    "serving": {
        "furnish",
        "kept",
        "ledger",
        "paths",
        "plan",
        "proxy",
        "report",
        "stands",
        "telemetry",
        "unsaved",
        "vocabulary",
    },
    "cli": {
        "answers",
        "audit",
        "credentials",
        "demo",
        "diagnosis",
        "editing",
        "join",
        "kept",
        "launch",
        "ledger",
        "local",
        "paths",
        "plan",
        "probe",
        "profile",
        "profiles",
        "report",
        "routing",
        "running",
        "secrets",
        "serving",
        "session",
        "stands",
        "transforms",
        "upstream",
        "vocabulary",
    },
    "demo": set(),
    "__main__": {"cli"},
}
# A library → the only modules that may import it.
ALONE = {
    "asyncio": {"proxy.accepting", "proxy.server", "upstream.receiver", "upstream.wire"},
    "httpx": {"upstream.proxied", "upstream.ask"},
    "keyring": {"secrets.store"},
    "tomlkit": {"editing"},
    "diskcache": {"answers.shelf"},
    "cryptography": {"secrets.sealed"},
    "botocore": {"upstream.clouds.aws"},
    "google": {"upstream.clouds.google"},
    "azure": {"upstream.clouds.azure"},
    "sqlite3": {"ledger.store"},
    "prometheus_client": {"proxy.exposition"},
    "opentelemetry": {"telemetry"},
    "click": {"cli"},
    "platformdirs": {"paths"},
    "zstandard": {"proxy.coding"},
    "subprocess": {"launch.child", "demo.agent"},
    "signal": {"launch.child", "demo.llama", "proxy.standing", "stands"},
    "socket": {
        "session",
        "serving",
        "proxy.accepting",
        "proxy.server",
        "proxy.setting",
        "upstream.failure",
        "upstream.wire",
        "demo.llama",
    },
    "anyio": {"proxy", "upstream"},
    "threading": {
        "proxy.thread",
        "answers.shelf",
        "telemetry",
        "ledger.recorder",
        "demo.llama",
        "secrets.store",
        "upstream.clouds",
    },
}
# What decides must not look at the world.
PURE = (*sorted(VOCABULARY), "framing", "formats", "routing", "transforms", "translate")
PURE_MODULES = ("answers.title", "upstream.capabilities", "upstream.fit")
WORLD = {"time", "datetime", "random", "secrets", "os", "sys", "pathlib", "socket", "threading", "tempfile", "shutil"}
FUNCTION_CAP, FILE_CAP = 80, 500


def part(module: str) -> str:
    head = module.partition(".")[0]
    return "vocabulary" if head in VOCABULARY else head


def module_of(path: Path) -> str:
    words = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or later."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "lynkr" or node.module.startswith("lynkr."):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    """The modules of lynkr that a file imports, without the leading name."""
    known = {module_of(file) for file in FILES}
    names = {name.removeprefix("lynkr.") for name in imports(path) if name.startswith("lynkr.")}
    return names & known


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_dependencies_point_one_way(path: Path) -> None:
    module = module_of(path)
    if not module:
        assert ours(path) == set()
        return
    mine = part(module)
    assert mine in MAY_IMPORT, f"{module}: say in MAY_IMPORT what this new part may import"
    foreign = {name for name in ours(path) if part(name) not in MAY_IMPORT[mine] | {mine}}
    assert not foreign, f"{module} imports {foreign}"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_each_library_has_its_one_place(path: Path) -> None:
    module = module_of(path)
    used = {name.partition(".")[0] for name in imports(path)}
    for library in used & set(ALONE):
        assert any(module == home or module.startswith(home + ".") for home in ALONE[library]), (
            f"{module} uses {library}"
        )


@pytest.mark.parametrize(
    "path",
    [f for f in FILES if module_of(f).partition(".")[0] in PURE or module_of(f) in PURE_MODULES],
    ids=module_of,
)
def test_what_decides_does_not_look_at_the_world(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports(path)} & WORLD


def test_no_format_knows_another() -> None:
    shared = {"watch", "values", "refusals", "unsaid", "openai", "bedrock", "google"}
    # Two clouds put Anthropic's format into an envelope, and say so.
    known = {"bedrock_invoke": {"anthropic"}, "vertex_anthropic": {"anthropic"}}
    for path in (PACKAGE / "formats").rglob("*.py"):
        module = module_of(path).removeprefix("formats").removeprefix(".")
        mine = module.partition(".")[0]
        if not mine:
            continue  # the table of all formats
        names = {name.split(".")[1] for name in ours(path) if name.startswith("formats.")}
        assert names <= shared | {mine} | known.get(mine, set()), f"{module} knows {names}"


def test_the_demo_s_agent_and_models_are_strangers() -> None:
    for path in (PACKAGE / "demo").glob("*.py"):
        assert ours(path) == set()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_nothing_is_too_large_and_everything_says_what_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= FILE_CAP
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module begins with its idea"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno <= FUNCTION_CAP, node.name


def test_the_median_file_is_small() -> None:
    sizes = sorted(path.read_text("utf-8").count("\n") for path in FILES)
    assert sizes[len(sizes) // 2] <= 150


def test_only_commands_and_the_demo_print() -> None:
    for path in FILES:
        calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
        prints = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]
        assert not prints or module_of(path).startswith("demo.")


def test_every_dependency_is_declared_and_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {name.partition(">")[0] for name in project["dependencies"]}
    modules = {name.replace("-", "_") for name in declared}
    extras = {"toktok", "xllamacpp", "botocore", "azure", "google", "opentelemetry"}
    known = set(sys.stdlib_module_names) | {"lynkr"} | extras
    used = {name.partition(".")[0] for path in FILES for name in imports(path)} - known - {""}
    assert used == modules
    reasons = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text("utf-8")
    assert all(f"`{name}`" in reasons for name in declared)


def test_before_the_child_starts_nothing_heavy_is_imported() -> None:
    code = "import sys, lynkr.cli.main, lynkr.cli.run, lynkr.session; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "httpx",
        "anyio",
        "ssl",
        "sqlite3",
        "asyncio",
        "httpcore",
        "platformdirs",
        "statistics",
        "zstandard",
        "lynkr.conversation",
    }
    assert not heavy & set(done.stdout.split())


def test_every_command_is_documented() -> None:
    commands = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - {
        "__init__",
        "main",
        "speak",
        "complete",
        "when",
    }
    readme = (ROOT / "README.md").read_text("utf-8")
    assert all(f"`lynkr {name}" in readme for name in commands)


def test_links_in_the_documents_lead_somewhere() -> None:
    import re

    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
