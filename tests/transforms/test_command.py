"""What a shell command did is seen through whatever carries it: shells, runners, options with words of their own."""

from __future__ import annotations

import pytest

from lynkr.passage import Called
from lynkr.transforms.command import meaning, of_command


@pytest.mark.parametrize(
    "command",
    [
        "bash -lc 'cat a.json'",
        "bash -l -c 'cat a.json'",
        "bash -euo pipefail -c 'cat a.json'",
        "sh -x -c 'cat a.json'",
        "git --no-pager -C d show HEAD:a.json",
        "uv run -q cat a.json",
        "stdbuf -o L cat a.json",
        "sudo --user bob cat a.json",
    ],
)
def test_a_file_that_is_shown_is_one_whatever_carries_the_command(command: str) -> None:
    assert of_command(command).role == "shown"
    assert meaning(Called("c", "Bash", {"command": command})).role == "shown"


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("pnpm dlx vitest", "vitest"),
        ("uv run --with x pytest", "pytest"),
        ("bash -euo pipefail -c 'pytest -q'", "pytest"),
        ("sudo --user bob pytest -q", "pytest"),
    ],
)
def test_the_program_that_really_runs_is_found_behind_what_carries_it(command: str, program: str) -> None:
    found = of_command(command)
    assert (found.ran(program), found.role) == (True, "output")


@pytest.mark.parametrize("command", ["bash script.sh -c 'cat a.json'", "bash -x script.sh -c 'cat a.json'"])
def test_the_arguments_of_a_script_are_not_run_by_the_shell(command: str) -> None:
    found = of_command(command)
    assert (found.role, found.ran("cat")) == ("output", False)
