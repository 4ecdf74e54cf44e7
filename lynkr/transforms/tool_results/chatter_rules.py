"""The lines that test runners, package managers and builds write while all goes well: a table.

Each rule matches a whole line. `sure` ones say by themselves that something succeeded, so a word of alarm in them (the
name of a test, of a package) means nothing. The patterns come from the programs' own output, recorded in tests/recorded where that could be.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Rule(NamedTuple):
    """`what` is counted in the stub; nothing is said of lines that have no `what` (blank ones, rulers).

    Fewer than `least` of a kind stay as they are. A group called `NAME` is what such a line is about. What heads the
    lines of something's own output goes only where there are none (`heads`).
    """

    pattern: str
    what: str
    sure: bool = False
    least: int = 1
    heads: bool = False


class Family(NamedTuple):
    """Programs that speak alike. `look` shows them where the command does not (make test, a script); it must fit
    nothing that another program would say."""

    programs: tuple[str, ...]
    look: re.Pattern[str]
    rules: tuple[Rule, ...]


_MS = r"(?: *[\[(]?(?:duration_ms )?[\d.,]+ ?m?s[\])]?)?"
TESTS = (
    Family(
        ("pytest", "py.test", "tox", "nox"),
        re.compile(r"^=+ (?:test session starts|FAILURES|ERRORS|short test summary)", re.M),
        (
            Rule(r"(?P<NAME>[^\s:]+::.*) PASSED(?: +\[ *\d+%\])?$", "passed test", sure=True, least=4),
            Rule(r"\[gw\d+\] \[ *\d+%\] PASSED (?P<NAME>.*?) *$", "passed test", sure=True, least=4),
            Rule(r"PASSED (?P<NAME>\S+::.*)$", "PASSED line", sure=True, least=4),
            Rule(r"(?P<NAME>\S+\.py) (?:\.+)(?: +\[ *\d+%\])?$", "passed file", sure=True, least=8),
            Rule(r"\.{4,}(?: +\[ *\d+%\])?$", "row of dots", sure=True),
            Rule(r"scheduling tests via \w+$", "", sure=True),
            Rule(r"(?:platform \w+ -- Python|cachedir: |plugins: |configfile: |using --randomly-seed|"
                 r"asyncio: mode=|base tempdir: |hypothesis profile |gw\d+ \[\d+\]|created: \d+/\d+ workers)"
                 r".*$", "header line", sure=True),
        ),
    ),
    Family(
        ("unittest", "django-admin", "manage.py"),
        re.compile(r"^Ran \d+ tests? in ", re.M),
        (
            Rule(r"(?P<NAME>\S+) \([\w.]+\)(?: \.\.\. | ?$)?ok$", "passed test", sure=True, least=4),
            Rule(r"(?P<NAME>.+) \.\.\. ok$", "passed test", sure=True, least=4),
            Rule(r"\.{4,}$", "row of dots", sure=True),
        ),
    ),
    Family(
        ("jest", "vitest", "mocha", "bun test", "ava", "playwright", "tap", "node --test", "karma", "cypress"),
        re.compile(r"^(?: *Tests?:? +\d+|Test Suites:| *\d+ passing| *Test Files |ℹ tests \d|# tests \d| *\d+ pass$|TAP version)", re.M),
        (
            Rule(r"\s*[✓✔√] (?P<NAME>.*?)(?: +\(?\d[\d.,]* ?m?s\)?)?$", "passed test", sure=True, least=4),
            Rule(r"\(pass\) (?P<NAME>.*?)(?: \[[\d.]+m?s\])?$", "passed test", sure=True, least=4),
            Rule(r"PASS +(?P<NAME>\S+\.\w+)" + _MS + "$", "passed file", sure=True, least=8),
            Rule(r" *ok \d+ - (?P<NAME>.*)$", "passed test", sure=True, least=4),
            Rule(r"\s*# Subtest: .*$", "", sure=True),
            Rule(r"\s+(?:---|\.\.\.)$|\s+duration_ms: [\d.]+$|\s+type: '(?:test|suite)'$", "", sure=True),
            Rule(r"\s+at [^()\n]{0,200}\(?(?:node:internal/|[^()\s]{0,200}/node_modules/(?:@?jest|@?vitest|mocha|tinypool|jasmine)[\w@./-]*:\d).*$",
                 "runner frame", sure=True, least=2),
        ),
    ),
    Family(
        ("go test", "gotestsum"),
        re.compile(r"^(?:ok  \t|--- (?:PASS|FAIL|SKIP): |FAIL\t|\?   \t|=== RUN )", re.M),
        (
            Rule(r"\s*--- PASS: (?:(?P<NAME>[^\s/]+)|\S+) .*$", "passed test", sure=True, least=4),
            Rule(r"=== (?:RUN|PAUSE|CONT|NAME) .*$", "RUN line", sure=True, heads=True),
            Rule(r"ok  \t\S+\t.*$", "passed package", sure=True, least=4),
            Rule(r"\?   \t\S+\t\[no test files\]$", "untested package", sure=True),
            Rule(r"PASS$", "", sure=True),
        ),
    ),
    Family(
        ("cargo test", "cargo nextest"),
        re.compile(r"^(?:running \d+ tests?|test result: )", re.M),
        (
            Rule(r"test (?P<NAME>.+) \.\.\. ok$", "passed test", sure=True, least=4),
            Rule(r" +PASS \[ *[\d.]+s\] (?P<NAME>.*)$", "passed test", sure=True, least=4),
            Rule(r"running 0 tests$", "", sure=True),
            Rule(r"test result: ok\. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out;.*$", "empty test run", sure=True),
        ),
    ),
    Family(
        ("rspec", "minitest", "rake", "rails"),
        re.compile(r"^\d+ (?:examples?|runs), \d+ (?:failures?|assertions)", re.M),
        (
            Rule(r"\.{4,}$", "row of dots", sure=True),
            Rule(r"(?P<NAME>\S+#\S+) = [\d.]+ s = \.$", "passed test", sure=True, least=4),
        ),
    ),
    Family(
        ("mvn", "mvnw", "gradle", "gradlew"),
        re.compile(r"^(?:\[INFO\] |> Task :|BUILD SUCCESSFUL|BUILD FAILED)", re.M),
        (
            Rule(r"\[INFO\] Tests run: \d+, Failures: 0, Errors: 0, Skipped: 0, Time elapsed.* (?P<NAME>\S+)$", "passed test class", sure=True),
            Rule(r"\[INFO\] Running \S+$", "", heads=True),
            Rule(r"(?P<NAME>\S.* > .*) PASSED$", "passed test", sure=True, least=4),
            Rule(r"\s+at (?:org\.junit|org\.opentest4j|junit\.|java\.base/|jdk\.internal|sun\.reflect|org\.gradle|"
                 r"org\.apache\.maven|org\.testng|worker\.org\.gradle)\S*\(.*\)$", "runner frame", sure=True, least=2),
            Rule(r"(?:> Task :[\w:.-]+|:(?:[\w.-]+:)*(?:compile|process|generate|prepare|bundle|merge|package|test|start|dist|"
                 r"classes|jar|assemble|build|check)\w*|:(?:[\w.-]+:)*\w+[cC]lasses)(?: (?:UP-TO-DATE|NO-SOURCE|FROM-CACHE|SKIPPED))?$", "silent task", heads=True),
            Rule(r"\[INFO\] (?:-+|=+)$", "", sure=True),
            Rule(r"\[INFO\]\s*$", "", sure=True),
            Rule(r"\[INFO\] --- .* ---$", "build step"),
            Rule(r"\[INFO\] (?:Scanning for projects|Using |Copying |Nothing to compile|Changes detected|Compiling \d+ source|"
                 r"Building jar|Installing |Deleting |Recompiling|skip non existing|No sources to compile|from pom).*$", "build step"),
            Rule(r"(?:\[INFO\] )?(?:Downloading|Downloaded)(?: from \S+)?: .*$", "download", sure=True),
            Rule(r"Progress \(\d+\): .*$", "progress line", sure=True),
        ),
    ),
    Family(
        ("dotnet",),
        re.compile(r"^(?: *Determining projects to restore|Test run for |VSTest version|Starting test execution)", re.M),
        (
            Rule(r" *Passed (?P<NAME>\S.*) \[.*\]$", "passed test", sure=True, least=4),
            Rule(r" *(?:Determining projects to restore\.\.\.|All projects are up-to-date.*|Restored \S+\.\w+proj .*|"
                 r"VSTest version .*|Starting test execution, .*|A total of \d+ test files .*)$", "header line"),
            Rule(r" +\S+ -> \S+\.dll$", "built file"),
        ),
    ),
)  # fmt: skip

BUILDS = (
    Family(
        ("npm", "yarn", "pnpm", "bun", "npx", "webpack"),
        re.compile(r"^(?:npm (?:warn|WARN|http|notice|error|ERR!) |added \d+ packages|webpack [\d.]+ compiled|yarn install v|\$ |> \S+@\S+ \w+|Progress: resolved|\d+ packages? installed)", re.M),
        (
            Rule(r"npm http (?:fetch [A-Z]+ [23]\d\d|cache) .*$", "log line", sure=True),
            Rule(r"npm (?:http|timing|verb(?:ose)?|sill|silly|info)\b.*$", "log line"),
            Rule(r"npm (?:warn|WARN) deprecated (?P<NAME>\S+?):? .*$", "deprecated package", sure=True, least=2),
            Rule(r"\[\d/\d\] (?:(?:Resolving|Fetching|Rebuilding all) packages|Linking dependencies|Building fresh packages|"
                 r"Validating package\.json)\.\.\.$", "installation step"),
            Rule(r"Progress: resolved \d+.*$", "progress line", sure=True),
            Rule(r"Packages: \+\d+.*$", "", sure=True),
            Rule(r"\++-*$", "", sure=True),
            Rule(r"(?:Fetching|Resolving) packages\.\.\.$|Linking dependencies\.\.\.$|Building fresh packages\.\.\.$",
                 "installation step"),
            Rule(r"(?:transforming|rendering chunks|computing gzip size)(?: \(\d+\).*|\.\.\.)$", "progress line"),
            Rule(r" *\[[#=>. -]{8,}\] *\d+/\d+.*$", "progress line", sure=True),
            Rule(r" +\S.* \[built\](?: \[code generated\])?$| +modules by path .*$| +\+ \d+ modules$", "built module"),
            Rule(r"(?:\[[\d:. APM]{5,14}\]|\d+:\d\d:\d\d [AP]M -) (?:Project '[^']*' is (?:up to date|out of date) .*|"
                 r"Building project '[^']*'\.\.\.|Updating (?:unchanged output )?timestamps? .*)$", "project line"),
            Rule(r"TSFILE: .*$", "emitted file", sure=True),
            Rule(r"\d+ packages are looking for funding$| *run `npm fund` for details$", "funding line", sure=True),
        ),
    ),
    Family(
        ("pip", "pip3", "uv", "poetry", "pdm", "pipx"),
        re.compile(r"^(?:Collecting \S+$|Requirement already satisfied: |Installing collected packages|Resolved \d+ packages|Package operations:)", re.M),
        (
            Rule(r"Requirement already satisfied: (?P<NAME>\S+) .*$", "met requirement", sure=True),
            Rule(r"Collecting (?P<NAME>[^\s;(]+)(?:(?:[<>=!~;,]| ?\(from ).*)?$", "collected package", sure=True),
            Rule(r" *(?:(?:Downloading|Using cached) \S+(?: \([\d.]+ [kMG]?B\))?|Obtaining (?:file|git|dependency)\S* .*|"
                 r"Processing (?:\.{0,2}/|file:)\S*|Building wheels for collected packages: .*|Created wheel for .*|"
                 r"Stored in directory: .*|Looking in indexes: .*|(?:Preparing metadata|Getting requirements to build|"
                 r"Installing build dependencies|Installing backend dependencies|Building wheel for|Building editable for)"
                 r".*(?:started|finished with status 'done'|\.\.\.(?: done)?))$", "installation step", sure=True),
            Rule(r" {0,8}(?:[━╸╺]{5}[━╸╺ ]*|-{5,} +)(?:[\d.]+ ?[kMG]?i?B? ?/ ?[\d.]+ ?[kMG]?i?B?|\d+%).{0,80}$",
                 "progress line", sure=True),
            Rule(r" \+ (?P<NAME>[\w.\[\]-]+==\S+)$", "installed package", sure=True),
            Rule(r" *(?:Downloading|Downloaded|Building|Built) [\w.@=+:/-]+(?: \([^)]*\))?$|Prepared \d+ packages? in .*$",
                 "installation step"),
            Rule(r"  [-•] (?:Installing|Updating) (?P<NAME>\S+ \([^)]*\)).*$", "installed package"),
            Rule(r"\[notice\] .*$", "pip notice", sure=True),
        ),
    ),
    Family(
        ("cargo", "rustc", "rustup", "wasm-pack", "maturin"),
        re.compile(r"^ +(?:Compiling|Downloaded|Checking) \S+ v\d|^ +Updating crates\.io index", re.M),
        (
            Rule(r" +Running `.*`$", "build command", sure=True),
            Rule(r" +(?:Compiling|Checking|Fresh|Dirty|Documenting|Packaging) \S+ v[^\s/]+(?: \([^/]*\))?$", "built crate", sure=True),
            Rule(r" +(?:Downloaded \S+ v\S+(?: \([^)]*\))?|Download(?:ed|ing) (?:\d+ )?crates.*|Locking \d+ packages?.*|"
                 r"Updating (?:crates\.io index|git (?:repository|submodule) .*)|Blocking waiting for file lock .*)$",
                 "build step", sure=True),
            Rule(r" *Building \[[=> ]*\].*$", "progress line", sure=True),
        ),
    ),
    Family(
        ("make", "cmake", "ninja", "gmake", "ctest", "meson", "configure"),
        re.compile(r"^(?:\[ *\d+%\] (?:Building|Linking|Built) |make(?:\[\d+\])?: |-- (?:Detecting|Check for|The C))", re.M),
        (
            Rule(r"\[ *\d+%\] (?:Building|Linking|Generating|Scanning) .*$", "build step"),
            # The last of them says that all is done.
            Rule(r"\[(?!(?P<LAST>\d+)/(?P=LAST)\])\d+/\d+\] (?:Building|Linking|Compiling|Generating|Re-checking|"
                 r"Scanning|CC|CXX|LD|AR|(?:/\S+/)?(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+|ar|"
                 r"ccache|rm|cmake)) .*$", "build step"),
            # Where it goes into stays: a path of a message begins there.
            Rule(r"make(?:\[\d+\])?: Leaving directory .*$", "", sure=True),
            Rule(r"(?:cc|c\+\+|gcc|g\+\+|clang(?:\+\+)?|ar|ld|ranlib) .*$", "build command"),
            Rule(r"-- (?:Detecting|Check for working|The C\w* compiler|Looking for|Performing Test).*$", "build check"),
            Rule(r"checking .*\.\.\. (?:\(cached\) )?(?:yes|ok|none needed|/\S+|\S*(?:gcc|g\+\+|cc|clang)\b.*)$", "build check"),
            Rule(r" *\d+/\d+ Test +#\d+: .* +Passed +[\d.]+ sec$", "passed test", sure=True, least=4),
            Rule(r" +Start +\d+: .*$", ""),
        ),
    ),
    Family(
        ("apt-get", "apt", "dpkg", "brew", "apk", "dnf", "yum"),
        re.compile(r"^(?:Reading package lists|Get:\d+ http|Selecting previously unselected|fetch http)", re.M),
        (
            Rule(r"(?:Get|Hit|Ign):\d+ \S+ .*$|Fetched [\d.,]+ ?\w?B in .*$", "download"),
            Rule(r"Setting up (?P<NAME>\S+ \([^)]*\)) .*$", "installed package", sure=True),
            Rule(r"(?:Reading state information|Building dependency tree|Selecting previously unselected package |"
                 r"Preparing to unpack |Unpacking \S+ \(|Processing triggers for |\(Reading database |Scanning \S+\.\.\.|"
                 r"debconf: delaying|Created symlink ).*$", "installation step"),
            Rule(r"==> (?:Downloading|Pouring|Fetching|Auto-updated).*$", "installation step"),
        ),
    ),
    Family(
        ("docker", "docker-compose", "podman", "buildah", "nerdctl"),
        re.compile(r"^(?:#\d+ (?:\[|DONE |CACHED)|Step \d+/\d+ : |[0-9a-f]{12}: (?:Pull|Already|Download|Verif|Wait))", re.M),
        (
            Rule(r"#\d+ (?:sha256:\S+ .*|(?:extracting|transferring|resolve|exporting|unpacking to|"
                 r"sending|preparing|pushing) .*|DONE [\d.]+s|CACHED|\.\.\.|\d+\.\d+ (?:(?:Get|Hit|Ign):\d+ |"
                 r"Selecting previously |Preparing to unpack |Unpacking |Setting up |Collecting \S+$|Downloading http|"
                 r"\(Reading database |Processing triggers ).*)$", "image step"),
            Rule(r"[0-9a-f]{12}: (?:Pulling fs layer|Waiting|Verifying Checksum|Download complete|Pull complete|Already exists|"
                 r"Extracting|Downloading|Pushed|Layer already exists|Preparing).*$", "transfer step", sure=True),
            Rule(r" ---> (?:[0-9a-f]{12}|Using cache|Running in [0-9a-f]+)$|Removing intermediate container .*$", "", sure=True),
        ),
    ),
    Family(
        ("terraform", "tofu", "terragrunt", "pulumi"),
        re.compile(r"^(?:Terraform |OpenTofu |Initializing (?:the backend|provider plugins)|Plan: \d+ to add)", re.M),
        (
            Rule(r"\S+: (?:Refreshing state|Reading)\.\.\.(?: \[id=.*\])?$", "refreshed resource", sure=True, least=4),
            Rule(r"\S+: Read complete after \S+(?: \[id=.*\])?$", "", sure=True),
            Rule(r"\S+: Still (?:creating|modifying|destroying|reading)\.\.\. \[.*elapsed\]$", "progress line", sure=True),
        ),
    ),
    Family(
        ("git push", "git pull", "git fetch", "git clone", "git submodule", "git gc", "git rebase"),
        re.compile(r"^(?:remote: (?:Enumerating|Counting|Compressing)|Enumerating objects: )", re.M),
        (
            Rule(r"(?:remote: )?(?:Enumerating|Counting|Compressing|Writing|Receiving|Unpacking) objects: .*$", "progress line", sure=True),
            Rule(r"(?:remote: )?Resolving deltas: .*$", "progress line", sure=True),
            Rule(r"(?:Delta compression using|Updating files: +\d+%|Checking out files).*$",
                 "progress line", sure=True),
        ),
    ),
)  # fmt: skip

# What has a name that may be wanted next, and how many names are still worth their place.
NAMED = {"passed test": 48, "PASSED line": 48, "passed file": 48, "passed test class": 48, "met requirement": 256,
         "collected package": 64, "installed package": 256, "deprecated package": 20}  # fmt: skip
FAMILIES = (*TESTS, *BUILDS)
