"""Programs that are run here and now, failing and passing: what they write is compressed, and no fact of it is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import environment, real_tool

from lynkr.transforms.shaper import alone


@pytest.fixture
def ran(tmp_path: Path) -> Callable[..., str]:
    """Runs a command in a folder of its own and gives what it wrote, both streams together."""

    def run(*words: str, **more: str) -> str:
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=environment(tmp_path, TERM="dumb", NO_COLOR="1", **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=110,
            check=False,
        )
        return done.stdout.decode()

    return run


def squeezed(text: str, command: str) -> str:
    """What is left of an output; idempotent and no longer than it was."""
    change = alone(text, command)
    if change is None:
        return text
    assert len(change.after) < len(text)
    assert alone(change.after, command) is None
    return change.after


def lost(after: str, *facts: str) -> list[str]:
    return [fact for fact in facts if fact not in after]


def _tests(folder: Path, per_file: int = 30, failing: tuple[tuple[int, int], ...] = ()) -> None:
    for file in range(10):
        lines = ["import pytest", ""]
        for n in range(per_file):
            wanted = "total + 1" if (file, n) in failing else "total"
            lines += [
                f"def test_order_{file}_{n}_adds_up():",
                f"    total = sum(range({n}))",
                f"    assert total == {wanted}",
                "",
            ]
        (folder / f"test_orders_{file}.py").write_text("\n".join(lines))


def test_300_tests_of_pytest_of_which_three_fail(ran: Callable[..., str], tmp_path: Path) -> None:
    _tests(tmp_path, failing=((1, 4), (5, 17), (8, 29)))
    text = ran(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider")
    after = squeezed(text, "pytest -v")
    assert "3 failed, 297 passed" in text
    facts = [
        *("test_orders_1.py::test_order_1_4_adds_up", "test_orders_5.py::test_order_5_17_adds_up"),
        *("test_orders_8.py::test_order_8_29_adds_up", "assert 6 == (6 + 1)", "assert 136 == (136 + 1)"),
        *("assert 406 == (406 + 1)", "test_orders_1.py:21: AssertionError", "test_orders_8.py:121: AssertionError"),
        *("3 failed, 297 passed", "297 passed tests", "lynkr expand "),
    ]
    assert lost(after, *facts) == []
    assert len(after) <= 0.2 * len(text)


def test_pytest_without_a_failure_says_that_all_passed(ran: Callable[..., str], tmp_path: Path) -> None:
    _tests(tmp_path)
    for options in (["-v"], ["-q"], []):
        text = ran(sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider")
        assert lost(squeezed(text, "python -m pytest " + " ".join(options)), "300 passed") == []


def test_unittest(ran: Callable[..., str], tmp_path: Path) -> None:
    cases = "\n".join(f"    def test_{n}_is_small(self): self.assertLess({n}, 41)" for n in range(42))
    (tmp_path / "test_sizes.py").write_text(f"import unittest\nclass TestSizes(unittest.TestCase):\n{cases}\n")
    text = ran(sys.executable, "-m", "unittest", "-v")
    after = squeezed(text, "python -m unittest -v")
    assert lost(after, "FAIL: test_41_is_small", "AssertionError: 41 not less than 41", "Ran 42 tests", "line 44") == []
    assert len(after) < 0.6 * len(text)


def _repository(ran: Callable[..., str], folder: Path) -> None:
    ran("git", "init", "-q", "-b", "main")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.com")):
        ran("git", "config", name, value)
    for n in range(12):
        (folder / f"part_{n}.py").write_text("".join(f"value_{n}_{line} = {line}\n" for line in range(40)))
        ran("git", "add", "-A")
        ran("git", "commit", "-qm", f"Adds part {n}")


def test_git(ran: Callable[..., str], tmp_path: Path) -> None:
    _repository(ran, tmp_path)
    for n in (2, 7):
        path = tmp_path / f"part_{n}.py"
        path.write_text(path.read_text().replace(f"value_{n}_20 = 20", f"value_{n}_20 = 21  # was 20"))
    (tmp_path / "fresh.py").write_text("x = 1\n")
    status = squeezed(ran("git", "status"), "git status")
    assert (
        lost(status, "On branch main", "modified:   part_2.py", "modified:   part_7.py", "fresh.py", "Untracked files")
        == []
    )
    assert '(use "git add <file>' not in status
    diff = ran("git", "diff")
    kept = squeezed(diff, "git diff")
    assert lost(kept, *(line for line in diff.splitlines() if line[:1] in "+-@ ")) == []
    log = ran("git", "log")
    assert (
        lost(
            squeezed(log, "git log"), *(f"Adds part {n}" for n in range(12)), *(h for h in log.split() if len(h) == 40)
        )
        == []
    )
    shown = ran("git", "show", "HEAD:part_3.py")
    assert squeezed(shown, "git show HEAD:part_3.py") == shown
    blame = ran("git", "blame", "part_4.py")
    assert lost(squeezed(blame, "git blame part_4.py"), *(f"value_4_{n} = {n}" for n in range(40))) == []


@pytest.mark.parametrize("style", ["full", "concise"])
def test_ruff(ran: Callable[..., str], tmp_path: Path, style: str) -> None:
    for n in range(15):
        (tmp_path / f"part_{n}.py").write_text(f"import os\nimport sys\n\n\ndef part_{n}():\n    return missing_{n}\n")
    text = ran(sys.executable, "-m", "ruff", "check", "--no-cache", "--isolated", f"--output-format={style}")
    after = squeezed(text, "ruff check")
    assert (
        lost(
            after,
            "F401",
            "F821",
            *(f"missing_{n}" for n in range(15)),
            *(f"part_{n}.py" for n in range(15)),
            "Found 45 errors",
        )
        == []
    )
    assert len(after) < len(text)


def test_mypy(ran: Callable[..., str], tmp_path: Path) -> None:
    for n in range(8):
        (tmp_path / f"part_{n}.py").write_text(
            f"def part() -> int:\n    return 'text {n}'\n\nx: str = {n}\ny: str = {n + 1}\nz: str = 0\n"
        )
    text = ran(sys.executable, "-m", "mypy", "--cache-dir=/dev/null", ".")
    after = squeezed(text, "mypy .")
    assert (
        lost(
            after, "Incompatible return value type", "Found 32 errors in 8 files", *(f"part_{n}.py:2" for n in range(8))
        )
        == []
    )


def test_tsc(ran: Callable[..., str], tmp_path: Path) -> None:
    tsc = real_tool("tsc")
    for n in range(6):
        faults = "\n".join(f'export const a{i}: number = "text {n} {i}";' for i in range(5))
        (tmp_path / f"part{n}.ts").write_text(f"{faults}\nexport const ok = {n};\n")
    text = ran(tsc, "--noEmit", "--strict", *(f"part{n}.ts" for n in range(6)))
    after = squeezed(text, "npx tsc --noEmit")
    places = [f"part{n}.ts({i + 1},14)" for n in range(6) for i in range(5)]
    assert all(place in text for place in places)
    assert lost(after, "error TS2322: Type 'string' is not assignable to type 'number'.", *places) == []
    assert len(after) < 0.6 * len(text)


def test_eslint(ran: Callable[..., str], tmp_path: Path) -> None:
    eslint = real_tool("eslint")
    (tmp_path / "eslint.config.mjs").write_text(
        "export default [{rules: {'no-undef': 'error', 'no-unused-vars': 'warn'}}];\n"
    )
    for n in range(5):
        (tmp_path / f"part{n}.js").write_text("".join(f"const unused{n}_{i} = missing{n}_{i};\n" for i in range(4)))
    text = ran(eslint, ".")
    after = squeezed(text, "npx eslint .")
    names = [f"missing{n}_{i}" for n in range(5) for i in range(4)]
    assert (
        lost(after, *names, *(f"part{n}.js" for n in range(5)), "no-undef", "40 problems (20 errors, 20 warnings)")
        == []
    )


def test_a_build_with_npm_and_tsc_with_an_error_each(ran: Callable[..., str], tmp_path: Path) -> None:
    """Without a network: the packages are folders, and npm says of each what it did."""
    tsc = real_tool("tsc")
    names = [f"part-{n}" for n in range(60)]
    for name in names:
        folder = tmp_path / "packages" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"name": name, "version": "1.0.0"}))
    sources = tmp_path / "src"
    sources.mkdir()
    for n in range(60):
        (sources / f"module{n}.ts").write_text(f"export const value{n}: number = {n};\n")
    (sources / "total.ts").write_text('export const total: number = "12";\n')
    package = {
        "name": "shop",
        "version": "1.0.0",
        "scripts": {"build": f"{tsc} --listEmittedFiles --outDir dist src/*.ts"},
        "dependencies": {name: f"file:packages/{name}" for name in names},
    }
    (tmp_path / "package.json").write_text(json.dumps(package))
    text = ran("npm", "install", "--offline", "--loglevel=silly", "--no-audit")
    assert "added 60 packages" in text
    text += ran("npm", "run", "build") + ran("npm", "run", "biuld")
    after = squeezed(text, "npm install --loglevel=silly; npm run build; npm run biuld")
    facts = ("added 60 packages", "src/total.ts(1,14): error TS2322: Type 'string' is not assignable to type 'number'.",
             "shop@1.0.0 build", 'Missing script: "biuld"')  # fmt: skip
    assert [fact for fact in facts if fact not in text] == []
    assert lost(after, *facts) == []
    assert len(after) <= 0.2 * len(text)


def test_grep_can_be_put_together_again(ran: Callable[..., str], tmp_path: Path) -> None:
    for n in range(12):
        folder = tmp_path / "src" / "services" / "billing" / f"module_{n}"
        folder.mkdir(parents=True)
        (folder / "invoice_service.py").write_text(
            "".join(f"    total_{n}_{i} = price({i})\n    other()\n" for i in range(25))
        )
    text = ran("grep", "-rn", "total_", "src")
    after = squeezed(text, 'grep -rn "total_" src')
    assert text.count("\n") == 300
    assert len(after) <= 0.63 * len(text)
    assert _together(after) == text


def _together(after: str) -> str:
    """The grep that `after` was, from it alone: by docs/transforms.md, not by the code."""
    folder, path, out = "", "", list[str]()
    for line in after.split("\n"):
        if line.startswith("[lynkr: each path here begins with "):
            folder = line.removeprefix("[lynkr: each path here begins with ").removesuffix("]")
        elif line[:1].isdigit():
            out.append(f"{folder}{path}:{line}")
        else:
            path = line.partition(":")[0]
            out.append(folder + line if line else line)
    return "\n".join(out)


def test_200_objects_keep_every_value() -> None:
    rows = [
        {"id": n, "sku": f"SKU-{n:05}", "title": f"Product number {n}", "price": n * 1.25, "stock": n % 17,
         "active": n % 3 > 0, "supplier": {"name": f"Supplier {n % 7}", "country": "DE"}, "tags": ["a", "b"][: n % 3]}
        for n in range(200)
    ]  # fmt: skip
    for text in (json.dumps(rows, indent=2), json.dumps(rows)):
        after = squeezed(text, "curl -s http://localhost:8000/api/products")
        assert len(after) <= 0.52 * len(text)
        assert after.startswith("[lynkr: 200 objects of the list as rows")
        lines = after.split("\n")
        head = lines[0].removesuffix("]").partition("columns: ")[2].split(",")
        assert head == ["id", "sku", "title", "price", "stock", "active", "supplier.name", "tags"]
        above: list[str] = []
        for row, line in zip(rows, lines[1:], strict=True):
            cells = line.split(",", len(head) - 1)
            cells = [above[n] if cell == "^" else cell for n, cell in enumerate(cells)]
            above = cells
            wanted = [row["id"], row["sku"], row["title"], row["price"], row["stock"], row["active"]]
            assert cells[:6] == [value if isinstance(value, str) else json.dumps(value) for value in wanted]
            assert cells[6] == f"Supplier {row['id'] % 7}"
            assert json.loads(cells[7]) == row["tags"]
        assert "supplier.country=DE" in lines[0]
