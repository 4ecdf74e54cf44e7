"""What a tool call did, as far as its name and arguments say: which programs ran, which file was shown.

Coding tools name their tools differently and say the same: a command, or a path. Whatever is not understood is plain
output of something unknown, and then its look decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from lynkr.passage import Called

# `shown`: text that was asked for as it stands (a file, parts of one). `found`: matches of a search. `listed`: names of
# files. `output`: what a program said. `ours`: an original that lynkr gave back. `written`: a tool says what it wrote.
Role = Literal["shown", "found", "listed", "output", "ours", "written"]

_PIECE = re.compile(
    r"""\d*[<>]+&[\d-]|&>+|&&|\|\||[;|&\n]|(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s;&|'"\\])+|['"\\]""",
    re.DOTALL,
)
_SEPARATORS = frozenset(("&&", "||", ";", "|", "&", "\n"))
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# A long command is a script or a here-document; what it runs stands at its beginning or shows in the output.
_LIMIT = 2000
# What a here-document holds runs nowhere.
_HERE = re.compile(r"<<-?\s*(['\"]?)(\w+)\1([^\n]*\n)(?:.*?\n)??\s*\2[ \t]*(?=\n|\Z)", re.DOTALL)
# Words that run another command, and how many words of their own they have beside options.
_CARRIERS = {
    "sudo": 0, "doas": 0, "time": 0, "nice": 0, "nohup": 0, "env": 0, "exec": 0, "command": 0,
    "timeout": 1, "stdbuf": 0,
    "npx": 0, "bunx": 0, "pnpx": 0, "uvx": 0, "xvfb-run": 0, "rtk": 0, "then": 0, "do": 0, "else": 0,
}  # fmt: skip
_WITH_A_WORD = {
    "sudo": ("-u", "-g", "-h", "-p", "-C", "-U", "-D", "-R", "-T", "--user", "--group"), "timeout": ("-s", "-k"),
    "nice": ("-n",), "env": ("-u", "-C"), "stdbuf": ("-i", "-o", "-e"), "git": ("-c", "-C", "--git-dir", "--work-tree"),
    "uv": ("--with", "-p", "--python", "--extra", "--group", "--package", "--directory", "--project"),
}  # fmt: skip
_RUNNERS = {"uv", "poetry", "pdm", "hatch", "rye", "pipenv", "conda", "mise", "bundle", "pnpm", "yarn", "npm", "bun"}
_INNER = re.compile(r"-[a-z]*c$|/c$|-command$", re.IGNORECASE)
_NAMED_OPTION = re.compile(r"[-+][a-z]*o$|-executionpolicy$", re.IGNORECASE)
_SHELLS = frozenset(("bash", "sh", "zsh", "dash", "fish", "powershell", "pwsh", "cmd"))
_PYTHON = re.compile(r"python(?:\d(?:\.\d+)?)?$")

_SHOWING = frozenset(("cat", "sed", "head", "tail", "nl", "bat", "batcat", "less", "more", "awk", "cut", "tac", "fold"))
_FINDING = frozenset(("grep", "rg", "egrep", "fgrep", "ag", "ack", "ugrep"))
_LISTING = frozenset(("ls", "find", "fd", "fdfind", "tree", "du", "eza", "exa"))
# They neither say much nor change what the others do.
_QUIET = frozenset(("cd", "echo", "printf", "export", "set", "source", ".", "true", "pwd", "mkdir", "rm", "cp", "mv",
                    "touch", "chmod", "sleep", "wc", "sort", "uniq", "tr", "xargs", "tee", "pushd", "popd", "test",
                    "[", "which", "done", "fi", "for", "if", "while", "date", "basename", "dirname"))  # fmt: skip
# Tools of servers that show files have many names: read_text_file, get_file_contents, view_source.
_READER = re.compile(r"read|view|show|open_file|file_?contents?|get_?file|fetch_file")
# Editors that show a file as well: what they did is an argument.
_EDITOR = re.compile(r"str_replace|text_editor")
_OF_TOOLS: tuple[tuple[Role, frozenset[str]], ...] = (
    ("shown", frozenset(("read", "read_file", "view", "cat", "open", "read_many_files", "view_file", "fetch_file"))),
    ("found", frozenset(("grep", "search_file_content", "search_files", "grep_search", "search", "rg", "codesearch"))),
    ("listed", frozenset(("glob", "ls", "list", "list_directory", "list_files", "list_dir", "find", "file_search"))),
    ("written", frozenset(("edit", "multiedit", "write", "write_file", "replace", "apply_patch", "str_replace_editor",
                           "str_replace_based_edit_tool", "notebookedit", "create", "create_file", "replace_in_file",
                           "write_to_file", "todowrite", "todoread", "str_replace"))),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """`label` is what a reader would call the call, `programs` the words of each command that ran."""

    label: str
    role: Role
    programs: tuple[tuple[str, ...], ...] = ()
    path: str = ""
    # Whether the tool has put a number before each line of the file that it shows.
    numbered: bool = False

    def ran(self, *names: str) -> bool:
        """Whether one of `names` ran: `pytest`, or `go test` for a program with its first word."""
        return any(words[0] in names or " ".join(words[:2]) in names for words in self.programs)

    @property
    def items(self) -> bool:
        """Whether what it writes are items of a list, none of which is like another: rows, commits, processes."""
        return self.ran("git", "ps", "ls", "find", "jq") or any(
            _ROWS.intersection(words[:8]) for words in self.programs
        )


_ROWS = frozenset(
    ("psql", "mysql", "mariadb", "sqlite3", "duckdb", "clickhouse", "clickhouse-client", "mongosh", "bq", "cqlsh")
)


def _numbers(words: tuple[str, ...]) -> bool:
    return words[0] == "nl" or (words[0] == "cat" and words[1:2] == ("-n",))


_PATHS = ("file_path", "filePath", "absolute_path", "path", "filename", "target_file", "notebook_path")
UNKNOWN = Meaning("a tool", "output")
# A result whose call is nowhere to be seen may be a file.
UNSEEN = Meaning("a tool", "shown")


def meaning(call: Called | None) -> Meaning:
    """What `call` did."""
    if call is None:
        return UNSEEN
    arguments = call.arguments if isinstance(call.arguments, Mapping) else {}
    path = next((found for key in _PATHS if isinstance(found := arguments.get(key), str)), "")
    name = call.name.rpartition("__")[2].lower()
    if isinstance(call.arguments, str):
        return _of_text(call.name, name, call.arguments)
    if _EDITOR.search(name) and path:
        role: Role = "shown" if arguments.get("command") == "view" else "written"
        return Meaning(f"{call.name} of {short(path)}", role, (), path)
    if command := _command(arguments):
        return of_command(command)
    role = next((role for role, names in _OF_TOOLS if name in names), "output")
    if role == "output" and _READER.search(name):
        role = "shown"
    label = f"{call.name} of {short(path)}" if path else call.name
    return Meaning(label, role, (), path, numbered=role == "shown" and name in _NUMBERING)


# They put a number of their own before each line.
_NUMBERING = frozenset(("read", "view"))
# What runs in code that a model writes: tools.exec_command({cmd: "…"}).
_WITHIN = re.compile(
    r"""\b(?:cmd|command)["']?\s*:\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)""", re.DOTALL
)
_RUNS = re.compile(r"shell|bash|exec|command|terminal|^run$|^sh$")


def _of_text(label: str, name: str, text: str) -> Meaning:
    """A call whose argument is a text: a patch, a command, code that runs commands, or what nobody knows."""
    if "*** Begin Patch" in text or name == "apply_patch":
        return Meaning(label, "written")
    if found := _WITHIN.findall(text):
        return of_command(" ; ".join(one[1:-1] for one in found))
    return of_command(text) if _RUNS.search(name) else Meaning(label, "shown")


def _command(arguments: Mapping[str, Any]) -> str:
    for key in ("command", "cmd", "script", "commands"):
        match arguments.get(key):
            case str(text) if text.strip():
                return text
            case [str(), *_] as words if key == "commands":
                return " ; ".join(word for word in words if isinstance(word, str))
            case [str(), *_] as words:
                texts = [word for word in words if isinstance(word, str)]
                # bash -lc "…": the last word is what runs.
                return texts[-1] if texts[0].rpartition("/")[2] in _SHELLS and len(texts) > 1 else " ".join(texts)
    return ""


def short(path: str) -> str:
    """A path's last two steps."""
    return "/".join(path.replace("\\", "/").rstrip("/").split("/")[-2:])


def of_command(command: str) -> Meaning:
    """What a shell command did."""
    return _of_command(command[:_LIMIT])


@lru_cache(4096)
def _of_command(command: str) -> Meaning:
    command = _HERE.sub(r"\3", command)
    pieces = _pieces(command)
    programs = tuple(words for words, _ in pieces)
    # Those that another does not feed: what stands behind a pipe only cuts what it gets.
    heads = [words for words, fed in pieces if not fed]
    line = " ".join(command.split())
    label = f"`{line if len(line) <= 32 else line[:29] + '...'}`"
    names = {words[0] for words in heads} - _QUIET or {words[0] for words in programs} - _QUIET
    if any(words[:2] == ("lynkr", "expand") for words in programs):
        return Meaning(label, "ours", programs)
    if names and names <= _SHOWING:
        shown = {word for words in programs if words[0] in _SHOWING for word in words[1:] if _like_a_file(word)}
        # Of two files nobody knows which line is whose.
        path = "/".join([*_folders(programs), *shown]) if len(shown) == 1 else ""
        numbered = any(_numbers(words) for words in programs)
        return Meaning(label, "shown", programs, path, numbered=numbered)
    if any(_shows_a_file(words, first=words in heads) for words in programs):
        return Meaning(label, "shown", programs)
    if names and names <= _FINDING | _SHOWING:
        return Meaning(label, "found", programs)
    if names and names <= _LISTING | _SHOWING:
        return Meaning(label, "listed", programs)
    return Meaning(label, "output", programs)


_OBJECT = re.compile(r"[^\s:]*:[^\s:]+$")
_INSIDE = frozenset(("ssh", "docker", "docker-compose", "podman", "kubectl", "xargs", "adb", "vagrant", "wsl", "lxc",
                     "su", "heroku", "fly", "flyctl", "railway", "gcloud", "multipass", "limactl", "nsenter", "chroot",
                     "runuser", "{", "("))  # fmt: skip


def _shows_a_file(words: tuple[str, ...], *, first: bool) -> bool:
    """Whether a command among others shows a file that may be edited next; into a `first` one nothing is piped."""
    head, rest = words[0], words[1:]
    if head == "git" and rest[:1] in (("show",), ("cat-file",)):
        return rest[0] == "cat-file" or any(_OBJECT.match(word.strip("'\"")) for word in rest[1:])
    if head in _SHOWING:
        named = [word for word in rest if not word.startswith("-") and not word.isdigit()]
        script = head in ("sed", "awk", "cut")
        return first and len(named) > script and not all(map(_LOG.search, named[script:]))
    if head in _INSIDE:
        return any(word.strip("'\"").partition(" ")[0].rpartition("/")[2] in _SHOWING for word in rest)
    return head.lower() in ("get-content", "gc", "zcat", "xzcat", "bzcat", "gzcat", "type", "sops", "envsubst")


_LOG = re.compile(r"\.(?:log|out)(?:\.\d+)?['\"]?$|^/tmp/|^/var/log/")


def _folders(programs: tuple[tuple[str, ...], ...]) -> list[str]:
    """Where a command goes before it shows a file."""
    return [words[1] for words in programs if words[0] in ("cd", "pushd") and len(words) > 1]


def _like_a_file(word: str) -> bool:
    return not word.startswith("-") and ("." in word or "/" in word) and not word[0].isdigit() and "$" not in word


def _pieces(command: str) -> list[tuple[tuple[str, ...], bool]]:
    """The commands of a line, each as its words, without what only carries them, and whether another feeds it."""
    found, words, before = list[tuple[tuple[str, ...], bool]](), list[str](), ";"
    for piece in [*_PIECE.findall(command), ";"]:
        if piece not in _SEPARATORS:
            words.append(piece)
            continue
        if kept := _carried(words):
            if kept[0] in _SHELLS and (inner := _inner(kept)):
                found += _pieces(inner)
            else:
                found.append((tuple(kept), before == "|"))
        words, before = [], piece
    return found


def _inner(words: list[str]) -> str:
    """The command in `bash -lc "command"`."""
    for at, word in enumerate(words[1:-1], 1):
        if _INNER.match(word):
            return words[at + 1].strip("'\"")
        if word[0] not in "-+/" and not _NAMED_OPTION.match(words[at - 1]):
            return ""  # a script's own arguments
    return ""


def _carried(words: list[str]) -> list[str]:
    """The words of the command that really runs, its program without its folder."""
    words = list(_without_redirections(words))
    while words:
        head = words[0].strip("'\"(").rpartition("/")[2]
        rest = words[1:]
        if _ASSIGNMENT.match(words[0]) or not head:
            words = rest
        elif head in _CARRIERS:
            words = _without_options(head, rest)[_CARRIERS[head] :]
        elif _PYTHON.match(head) and len(rest) > 1 and rest[0] == "-m":
            words = rest[1:]
        elif head in _RUNNERS and rest[:1] in (["run"], ["exec"], ["x"], ["dlx"]) and len(rest) > 1:
            words = [word for word in _without_options(head, rest[1:]) if word != "--"]
        elif head == "git":
            return ["git", *_without_options(head, rest)]
        else:
            return [head, *(word for word in rest if word != "--")]
    return []


def _without_options(head: str, rest: list[str]) -> list[str]:
    """The words of a command without the options that they begin with, and the words that those take."""
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in _WITH_A_WORD.get(head, ()) else rest[1:]
    return rest


_REDIRECT = re.compile(r"\d*(?:[<>]|&>)+(?P<to>[^<>&])?")


def _without_redirections(words: list[str]) -> Iterator[str]:
    """`words` without `2>&1`, `>file` and `> file`."""
    target = False
    for word in words:
        found = _REDIRECT.match(word)
        if not found and not target:
            yield word
        target = bool(found) and not (found and found["to"]) and "&" not in word
