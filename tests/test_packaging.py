"""What a stranger installs: the wheel and the source distribution, by the real installers, on each Python that is here.

Nothing of the checkout is used: every environment is its own, and a tool on PATH is a script that says what it was given.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
SYSTEM = "/usr/bin:/bin"
TOOL = '#!/bin/sh\necho "claude in session=${LYNKR_SESSION:+yes} with $*"\n'
# The tool was started in a session of lynkr's, and got the user's arguments behind those that point it at the proxy.
THROUGH_LYNKR = re.compile(r"claude in session=yes with .*--print hi")
pytestmark = pytest.mark.real


def interpreter(version: str) -> str | None:
    """A Python of that version: among those that pyenv keeps (whose commands on PATH may lead nowhere), or on PATH."""
    if sys.version.startswith(f"{version}."):
        return sys.executable
    kept = Path(os.environ.get("PYENV_ROOT") or Path("~").expanduser() / ".pyenv") / "versions"
    found = sorted(
        kept.glob(f"{version}.*/bin/python"), key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))]
    )
    return str(found[-1]) if found else shutil.which(f"python{version}")


# Asked while this module is read, because each test has a home of its own.
PYTHONS = {version: interpreter(version) for version in VERSIONS}


def run(command: list[str | Path], env: dict[str, str], timeout_s: float = 170) -> str:
    """What a command prints; its own words where it fails."""
    done = subprocess.run(list(map(str, command)), env=env, capture_output=True, text=True, timeout=timeout_s)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(home: Path, *first: Path) -> dict[str, str]:
    return {"PATH": ":".join(map(str, (*first, SYSTEM))), "HOME": str(home), "LYNKR_HOME": str(home / "lynkr"),
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")}}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The wheel, which is made from the source distribution, and that."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    yield {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


def used(lynkr: Path, home: Path) -> str:
    """Uses an installed lynkr as whoever has just installed it would; gives what a tool said that its shim started."""
    env = environment(home, lynkr.parent)
    assert re.fullmatch(r"lynkr, version \d\S+\n", run([lynkr, "--version"], env))
    shown = run([lynkr, "profile", "list"], env)
    assert all(path.stem in shown for path in (ROOT / "profiles").glob("*.toml"))
    script = run([lynkr, "completion", "bash"], env)
    offered = run(
        [
            "bash",
            "-c",
            f'{script}\nCOMP_WORDS=(lynkr ru); COMP_CWORD=1; _lynkr_completion lynkr; echo "${{COMPREPLY[@]}}"',
        ],
        env,
    )
    assert offered.split() == ["run"]
    tools = home / "tools"
    tools.mkdir()
    (tools / "claude").write_text(TOOL)
    (tools / "claude").chmod(0o755)
    run([lynkr, "shim", "install", "claude"], environment(home, lynkr.parent, tools))
    shims = next(path.parent for path in (home / "lynkr").rglob("claude"))
    # The shim knows where lynkr is, also where PATH does not.
    return run(["claude", "--print", "hi"], environment(home, shims, tools)).rstrip()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_works_on(version: str, built: dict[str, Path], tmp_path: Path) -> None:
    python = PYTHONS[version]
    if python is None:
        pytest.skip(f"this machine has no Python {version}")
    env = environment(tmp_path)
    run([python, "-m", "venv", tmp_path / "venv"], env)
    run([tmp_path / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", built["wheel"]], env)
    assert THROUGH_LYNKR.fullmatch(used(tmp_path / "venv" / "bin" / "lynkr", tmp_path))
    shown = run([tmp_path / "venv" / "bin" / "lynkr", "demo"], env)
    assert "[run_tests] OK" in shown


def test_pipx_installs_the_source_distribution(built: dict[str, Path], tmp_path: Path) -> None:
    env = environment(tmp_path) | {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    run([sys.executable, "-m", "pipx", "install", "--python", sys.executable, "--quiet", built["sdist"]], env)
    assert THROUGH_LYNKR.fullmatch(used(tmp_path / "bin" / "lynkr", tmp_path))


def test_the_distributions_hold_what_they_should_and_nothing_of_a_machine(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = set(wheel.namelist())
    for folder in ("profiles", "shims", "completions"):
        for path in (ROOT / folder).iterdir():
            assert f"lynkr/shipped/{folder}/{path.name}" in names
    assert {name.partition("/")[0] for name in names if not name.startswith("lynkr/")} == {
        next(name for name in names if ".dist-info/" in name).partition("/")[0]
    }
    with tarfile.open(built["sdist"]) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "tests/setup", "docs/how-it-works.md"} <= held
    assert not [name for name in (*names, *held) if "__pycache__" in name or name.startswith((".venv", ".cache"))]
