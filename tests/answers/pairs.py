"""Makes near_misses.jsonl and paraphrases.jsonl beside it: pairs of coding questions, for the cache of answers.

    python tests/answers/pairs.py

**Near misses** are two questions with different right answers that look alike. Three sources, in this order:

1. Templates with fillers (`TEMPLATES`): each names what is exchanged (`how`); a pair is the template with either filler.
2. Sentences of our own (`WRITTEN`), where no template fits.
3. What a search for wrong hits came up with (`FOUND`): pairs that an implementation took for the same. None is removed.

Of pairs whose both sides begin with "How do I ", the other side's frame goes round `FRAMES`, so that a pair is told apart
by what is asked and not by its frame.

**Paraphrases** are two questions with the same right answer. *Trivial* variants apply one of the changes of docs/answers.md
(`CHANGES`: case, politeness, frame, article, final mark, abbreviation, place of the language) to each of `QUESTIONS`; *free*
ones are reworded by hand (`REWORDED`) or by a template (`REWORDINGS`). No sentence is anybody else's.

There is no chance in it: the same script makes the same files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
Pair = dict[str, str]

# Below, a line is a pair, "one <> other", or (indented) the fillers of the template above it, "a / b", several by ";".
TEMPLATES = """
direction
How do I convert {} in Python?
  a list to a set / a set to a list; a string to bytes / bytes to a string; a dict to JSON / JSON to a dict
  a tuple to a list / a list to a tuple; an int to a string / a string to an int; CSV to Parquet / Parquet to CSV
How do I {} ?
  copy from the server to my laptop / copy from my laptop to the server; merge main into dev / merge dev into main
  move from npm to yarn / move from yarn to npm; migrate from MySQL to Postgres / migrate from Postgres to MySQL
  bind Docker port 80 to 8080 / bind Docker port 8080 to 80; call C from Rust / call Rust from C
  subtract x from y / subtract y from x; rebase feature onto main / rebase main onto feature
negation
Why does {} in production?
  my cookie expire / my cookie not expire; the worker restart / the worker not restart; the cache fill / the cache never fill
  the query use the index / the query not use the index; the hook run / the hook never run; the page load / the page not load
How do I make git {} ?
  track a file / not track a file; ask for a password / not ask for a password; follow symlinks / not follow symlinks
  convert line endings / never convert line endings; sign commits / not sign commits
number
How do I {} ?
  round to 2 decimals / round to 3 decimals; keep the last 5 commits / keep the last 15 commits; sleep for 10 s / sleep for 100 s
  listen on port 8080 / listen on port 8081; use Java 8 / use Java 18; return status 401 / return status 403
  install Python 3.1 / install Python 3.10; parse RFC 3339 dates / parse RFC 3399 dates; add 1 day / add -1 day
  read chunks of 0x10 bytes / read chunks of 10 bytes; scale by 1.5 / scale by 15; set the mode to 644 / set the mode to 664
identifier
What does {} return?
  `os.path.join` / `os.path.split`; `json.load` / `json.loads`; `list.sort` / `list.sorted`; `str.find` / `str.rfind`
  `Array.slice` / `Array.splice`; `strcmp` / `strncmp`; `user_id` / `user_ids`; `getData` / `setData`; foo_bar / foo_baz
  parseInt / parseFloat; innerHTML / outerHTML; np.max / np.min; df.loc / df.iloc; is_valid / is_invalid
path
How do I edit {} ?
  /etc/hosts / /etc/host; src/main.py / src/main.rs; ~/.bashrc / ~/.bash_profile; app/a/config.yml / app/b/config.yml
  /var/log/syslog / /var/log/messages; ./build / ../build; .env / .env.local; tests/conftest.py / conftest.py
language
How do I {} ?
  read a file in Python / read a file in Ruby; sort a map in Go / sort a map in Rust; use generics in Java / use generics in Kotlin
  parse JSON in Bash / parse JSON in Perl; hash a password using PHP / hash a password using Python
  start a thread in C++ / start a thread in C#; split a string in Swift / split a string in Scala
before and after
How do I run a script {} ?
  before a commit / after a commit; before the tests / after the tests; before each request / after each request
  on entry / on exit; at boot / at shutdown; before the build / during the build
with and without
How do I {} ?
  build with CMake / build without CMake; push with tags / push without tags; join with duplicates / join without duplicates
  print with a newline / print without a newline; sort with a key / sort without a key; clone with history / clone without history
  run with sudo / run without sudo; compile with symbols / compile without symbols
first and last
How do I get the {} ?
  first line of a file / last line of a file; first match / last match; first day of a month / last day of a month
  oldest commit / newest commit; first element / second element; minimum of a column / maximum of a column
all and any
How do I {} ?
  check if all are true / check if any are true; delete all rows / delete one row; match all words / match any word
  stop all containers / stop some containers; wait for all promises / wait for any promise; list only directories / list all directories
add and remove
How do I {} ?
  add a remote / remove a remote; add a column / drop a column; enable swap / disable swap; lock a row / unlock a row
  mount a disk / unmount a disk; encode a URL / decode a URL; stage a file / unstage a file; zip a folder / unzip a folder
  open a port / close a port; start nginx / stop nginx; subscribe to a topic / unsubscribe from a topic
  undo a commit / redo a commit; allow CORS / deny CORS; show hidden files / hide shown files; freeze a table / unfreeze a table
preposition
How do I {} ?
  write to a pipe / write from a pipe; search in a branch / search for a branch; log in Docker / log into Docker
  sort by a column / sort a column; import as a module / import from a module; read up to a line / read a line
  grow on a disk / grow off a disk; join on a key / join by a key; log to a file / log a file; insert into a list / insert a list
order of words
How do I {} ?
  run a script in Python / run a Python script; test a mock class / mock a test class; build a cache image / cache a build image
  log a failed request / fail a logged request; sort then filter / filter then sort; lock and then read / read and then lock
  list the users of a group / list the groups of a user; find the file of a class / find the class of a file
"""
WRITTEN = """
frame is the matter
What is in git? <> What is git?
What is a Docker image? <> Where is a Docker image?
Why is a Python list slow? <> When is a Python list slow?
How do I commit? <> When do I commit?
Who locks a table in Postgres? <> What locks a table in Postgres?
Should I use a linked list? <> How do I use a linked list?
How does garbage collection work in Go? <> Does garbage collection work in Go?
How do I squash commits? <> Why do I squash commits?
How many threads does Redis use? <> Which threads does Redis use?
How long is a git hash? <> How is a git hash made?
letter case
How do I use git branch -D? <> How do I use git branch -d?
What does `ls -A` print? <> What does `ls -a` print?
What does grep -V do? <> What does grep -v do?
What does sort -R do? <> What does sort -r do?
What does tar -C do? <> What does tar -c do?
What does ssh -P do? <> What does ssh -p do?
What is `Set` in Java? <> What is `set` in Java?
What is fooBar? <> What is foobar?
What does %H print in date? <> What does %h print in date?
What does "%M" print in date? <> What does "%m" print in date?
What is $PATH? <> What is $path?
What is src/App.js? <> What is src/app.js?
What is NULL in C? <> What is null in C?
What is the regex \\W? <> What is the regex \\w?
How do I call GET? <> How do I call get?
quoted text
How do I print "yes" in Java? <> How do I print "no" in Java?
How do I replace "foo" in sed? <> How do I replace "Foo" in sed?
What does `git reset --hard` do? <> What does `git reset --soft` do?
What does `x == 1` mean in JS? <> What does `x === 1` mean in JS?
What does `a[1:]` return? <> What does `a[:1]` return?
What does `rm -r x/` do? <> What does `rm -r x` do?
How do I fix "permission denied"? <> How do I fix "connection denied"?
How do I split by "," in Go? <> How do I split by ";" in Go?
How do I match `a|b`? <> How do I match `a&b`?
What does `i++` return? <> What does `++i` return?
How do I fix 'module not found'? <> How do I fix 'file not found'?
How do I grep for "-e"? <> How do I grep for "e"?
units
How do I sleep for 5 seconds? <> How do I sleep for 5 milliseconds?
How do I limit a container to 512 MB? <> How do I limit a container to 512 GB?
How do I limit a log to 10 KiB? <> How do I limit a log to 10 kB?
How do I convert 30 °C? <> How do I convert 30 °F?
How do I set a width of 10px? <> How do I set a width of 10em?
How do I expire a key in 5m? <> How do I expire a key in 5h?
How do I draw a line of 3 pt? <> How do I draw a line of 3 px?
versions
How do I enable workspaces in npm 6? <> How do I enable workspaces in npm 7?
How do I use signals in Angular 16? <> How do I use signals in Angular 17?
How do I print in Python 2? <> How do I print in Python 3?
How do I install node v18.1? <> How do I install node v18.11?
What changed in Django 4.2? <> What changed in Django 4.20?
Is C++17 backwards compatible? <> Is C++20 backwards compatible?
What is new in http/2? <> What is new in http/3?
How do I upgrade to Rails 7.0? <> How do I upgrade from Rails 7.0?
plural and singular
How do I delete a branch in git? <> How do I delete branches in git?
How do I read a line from stdin? <> How do I read lines from stdin?
How do I rename a file in bash? <> How do I rename files in bash?
How do I insert a row in SQL? <> How do I insert rows in SQL?
How do I return a value from a function? <> How do I return values from a function?
How do I kill the process on a port? <> How do I kill the processes on a port?
How do I add a column to a table? <> How do I add columns to a table?
degree
What is the fastest way to sort? <> What is the best way to sort?
What is the safest way to store a key? <> What is the easiest way to store a key?
How do I sort ascending? <> How do I sort descending?
How do I do a shallow copy? <> How do I do a deep copy?
What is a left join? <> What is a right join?
How do I get a local variable? <> How do I get a global variable?
Is a list faster than a tuple? <> Is a list slower than a tuple?
How do I list files by size? <> How do I list files by date?
What does at least once mean? <> What does at most once mean?
Which is greater, a or b? <> Which is smaller, a or b?
other name
How do I install numpy? <> How do I install scipy?
How do I deploy to Heroku? <> How do I deploy to Fly?
How do I mock in Jest? <> How do I mock in Vitest?
How do I set up Redis? <> How do I set up Kafka?
What is a mutex? <> What is a semaphore?
What is a Python decorator? <> What is a Python generator?
How do I update pip? <> How do I update uv?
What is an abstract class? <> What is an abstract method?
How do I center a div? <> How do I center a span?
How do I use a for loop? <> How do I use a while loop?
"""
# What a search for wrong hits found: each was taken for the same when it was written down.
FOUND = """
found: letter case of a name
What is Maybe in Haskell? <> What is maybe in Haskell?
How do I delete Readme? <> How do I delete readme?
What does A do in vim? <> What does a do in vim?
What does G do in vim? <> What does g do in vim?
What does I do in vim? <> What does i do in vim?
How do I use Map in JavaScript? <> How do I use map in JavaScript?
What is Object in JavaScript? <> What is an object in JavaScript?
How do I extend Array in JavaScript? <> How do I extend an array in JavaScript?
How do I import Path in Python? <> How do I import path in Python?
How do I catch Exception in Java? <> How do I catch an exception in Java?
What is the default of Boolean in Java? <> What is the default of boolean in Java?
Is List a class in Java? <> Is a list a class in Java?
How do I use Function in TypeScript? <> How do I use a function in TypeScript?
found: a short name is a name
How do I convert str to String in Rust? <> How do I convert String to str in Rust?
Can Integer be null in Java? <> Can int be null in Java?
What is the default of Boolean in Java? <> What is the default of bool in Java?
What is var in JavaScript? <> What is a variable in JavaScript?
What does dir do in Python? <> What does a directory do in Python?
How do I alias python to python3? <> How do I alias python3 to python?
Why does python work but python3 does not? <> Why does python3 work but python does not?
What is env in bash? <> What is the environment in bash?
How do I use func in Go? <> How do I use a function in Go?
What is the str function in Python? <> What is the string function in Python?
How do I install repo? <> How do I install a repository?
Should I type python or py on Windows? <> Should I type py or python on Windows?
found: kind of quotes
What does echo '$HOME' print? <> What does echo "$HOME" print?
What is the type of 'a' in C? <> What is the type of "a" in C?
What does echo `date` print? <> What does echo "date" print?
How do I join with '\\n' in PHP? <> How do I join with "\\n" in PHP?
found: punctuation out of code
Is 1,5 valid JSON? <> Is 1 5 valid JSON?
What does git show HEAD^{} do? <> What does git show HEAD^ do?
What does [] mean in Python? <> What does {} mean in Python?
What does a != b mean in C? <> What does a = b mean in C?
What does := do in Go? <> What does = do in Go?
What does x[1:] return in Python? <> What does x[:1] return in Python?
What does $(date) do in bash? <> What does ${date} do in bash?
What does (?:x) match? <> What does (x) match?
What does ls [ab] list? <> What does ls {ab} list?
What does f(x)(y) mean in JavaScript? <> What does f(x, y) mean in JavaScript?
What does :: mean in C++? <> What does : mean in C++?
What does x, = y do in Python? <> What does x = y do in Python?
What is the type of (1, 2) in Python? <> What is the type of [1, 2] in Python?
What does !x mean in C? <> What does x mean in C?
What does name?: string mean in TypeScript? <> What does name: string mean in TypeScript?
What does ls file? match in bash? <> What does ls file match in bash?
What does sleep 1; ls do? <> What does sleep 1 ls do?
found: dots
What does git add . do? <> What does git add do?
What does cd .. do? <> What does cd . do?
What does ... mean in Python? <> What does . mean in Python?
How do I use pip install . ? <> How do I use pip install?
found: the last mark is code
What does sort! do in Ruby? <> What does sort do in Ruby?
What does as! do in Swift? <> What does as? do in Swift?
In Ruby, what is empty? <> In Ruby, what is empty
In Rust, what is print! <> In Rust, what is print
What is 5! <> What is 5
found: politeness is the matter
How do I print thanks? <> How do I print?
How do I echo "a", please? <> How do I echo please "a"?
Hello world in Python <> World in Python
So files in Linux, what are they? <> Files in Linux, what are they?
found: an empty word is a name
How do I add an A record? <> How do I add a record?
What is the simply typed lambda calculus? <> What is the typed lambda calculus?
What is my IP address? <> What is an IP address?
What is my shell? <> What is a shell?
How do I run just? <> How do I run?
What does my do in Perl? <> What does the do in Perl?
How do I yank into register a in vim? <> How do I yank into the register in vim?
How do I delete just the directories? <> How do I delete the directories?
found: what the language is for
Do threads in Java differ from threads in Python? <> In Python, do threads in Java differ from threads?
How do I replace Python with Bash? <> How do I replace Python in Bash?
How do I replace SQL with go? <> In Go, how do I replace SQL?
How do I compare Java with Kotlin? <> How do I compare Java in Kotlin?
found: who is asked about
How can you access my files? <> How can I access my files?
How do you count tokens? <> How do I count tokens?
found: the frame is the matter
What should I use to test React? <> How do I test React?
Can you show me quicksort in Python? <> Can you explain quicksort in Python?
What is the method for sort in Java? <> How do I sort in Java?
found: layout
How do I replace "a  b" in sed? <> How do I replace "a b" in sed?
What is x?@for i in y:@    x += i@    print(x) <> What is x?@for i in y:@    x += i@print(x)
"""
FRAMES = ("How do I ", "How can I ", "What is the best way to ", "how to ", "How should I ", "Is there a way to ")

# Questions that a language may be put to either end of, without one.
QUESTIONS = """
read a config file line by line; remove duplicates from a dict; sort a list by two keys; match a regex over lines
check if a folder exists; pass args to a func; join two strings; convert a string to an int; close a db connection
print the env; iterate over a dict; write a unit test; copy a file; walk a dir; format a date; parse a URL
"""
LANGUAGES = ("Python", "JavaScript", "Go", "Rust", "Java", "Ruby", "TypeScript", "Kotlin")
LONG = {"config": "configuration", "dict": "dictionary", "folder": "directory", "args": "arguments", "db": "database"}
Change = Callable[[str, str], tuple[str, str]]


def _ask(said: str, language: str) -> str:
    return f"How do I {said} in {language}?"


# Each makes both sides of a question and a language.
CHANGES: tuple[tuple[str, Change], ...] = (
    ("letter case", lambda said, tongue: (_ask(said, tongue), f"how do I {said} in {tongue.lower()}?")),
    ("politeness before", lambda said, tongue: (_ask(said, tongue), f"Hi, how do I {said} in {tongue}?")),
    ("politeness behind", lambda said, tongue: (_ask(said, tongue), f"How do I {said} in {tongue}, please?")),
    ("frame", lambda said, tongue: (_ask(said, tongue), f"What is the best way to {said} in {tongue}?")),
    ("short frame", lambda said, tongue: (_ask(said, tongue), f"How to {said} in {tongue}?")),
    ("article", lambda said, tongue: (_ask(said, tongue), _ask(said.replace(" a ", " the "), tongue))),
    ("final mark", lambda said, tongue: (_ask(said, tongue), f"How do I {said} in {tongue}")),
    ("language in front", lambda said, tongue: (_ask(said, tongue), f"In {tongue}, how do I {said}?")),
    ("abbreviation", lambda said, tongue: (_ask(said, tongue), _ask(_longer(said), tongue))),
)

REWORDED = """
How do I undo my last commit in git? <> I committed too early and want that git commit gone
What is a closure in JavaScript? <> Explain closures to a JavaScript beginner
How do I list running containers? <> Which docker command shows what is running?
What is the difference between a process and a thread? <> Processes against threads: how do they differ?
How do I exit vim? <> I am stuck in vim, how do I get out?
How do I find large files on Linux? <> Which files take most of my Linux disk?
Why is my Docker image so large? <> What makes a Docker image grow so big?
How do I rename a git branch? <> Give a git branch another name
What does chmod 755 do? <> What is the effect of chmod 755?
How do I kill a process by its port? <> Something listens on my port; how do I end it?
How do I make a Python virtual environment? <> Set up a venv for a Python project
What is tail recursion? <> Explain what makes a recursive call a tail call
How do I reverse a linked list? <> Turn a linked list around
How do I profile a Go program? <> Find out where a Go program spends its time
What is a race condition? <> Explain data depending on which thread comes first
How do I see what changed since the last tag? <> Show commits made after the latest tag
How do I set up SSH keys for GitHub? <> Log into GitHub by SSH key instead of a password
Why does my React component render twice? <> What makes React call my component two times?
How do I debounce an input in React? <> Wait until typing stops before React reacts to an input
What is the borrow checker in Rust? <> What does Rust check when it complains of borrows?
How do I center an element with flexbox? <> Put a box in the middle by flexbox
How do I speed up a slow SQL query? <> My SQL query takes too long; what can be done?
How do I add an index to a table? <> Which SQL statement creates an index?
What is a primary key? <> What does it mean for a column to be the primary key?
How do I write a Dockerfile for a Flask app? <> Package a Flask app as a Docker image
How do I check the version of Node? <> Which Node am I running?
How do I pretty print JSON on the command line? <> Format JSON in a terminal so that one can read it
How do I count lines of code in a project? <> How many lines of source does my project have?
How do I schedule a cron job every hour? <> Let cron start something hourly
What is dependency injection? <> Explain passing collaborators in from outside
How do I cherry-pick a commit? <> Take over one commit from another branch
How do I resolve a merge conflict? <> Git says that both sides changed a file; what now?
What is memoization? <> Explain remembering a function's results
How do I read a CSV file with pandas? <> Load comma separated values into a DataFrame
How do I drop rows with missing values? <> Get rid of DataFrame lines that have NaN
How do I mock a function in pytest? <> Replace a function by a fake during a pytest test
How do I run one test in pytest? <> Start pytest for a single test only
What does volatile mean in Java? <> What is Java's volatile keyword good for?
How do I make an HTTP request in Go? <> Fetch a web page from a Go program
What is a goroutine? <> Explain Go's light threads
"""
# Two wordings of one question, and what may be put into both.
REWORDINGS = """
What does `{}` do? <> Explain the effect of running `{}`
  git stash; git fetch; docker ps; npm ci; pip freeze; make clean; kubectl get pods; cargo check; go vet; ls -la; df -h; tail -f
How do I install {} on Ubuntu? <> I have Ubuntu and need {}; which steps are there?
  Redis; Node; Docker; Postgres; nginx; Rust; Java; ffmpeg; jq; tmux; Kafka; Go
What is {} good for? <> When would one want {}?
  Redis; a monorepo; GraphQL; Kubernetes; a linter; a message queue; WebAssembly; a B-tree; an ORM; gRPC; a bloom filter; Terraform
How do I write a unit test for {}? <> My project has {} that I want to cover by a test; what does that look like?
  a REST endpoint; a React hook; a parser; a SQL query; a shell script; a date function; a retry loop; a cache; a CLI; a queue
How do I {} in {{}}? <> Show the {{}} code with which to {}
  reverse a string; open a socket; hash a file; sort objects by a field; generate a UUID; read a secret; draw a chart; send a mail
How fast is {}? <> What is the time complexity of {}?
  binary search; quicksort; a heap push; a hash lookup; merge sort; Dijkstra; a trie lookup; a set union; bubble sort; list append
What is the difference between {}? <> Compare {} for me
  TCP and UDP; REST and RPC; SQL and NoSQL; a stack and a heap; let and const; rebase and merge; a list and a tuple; PUT and PATCH
"""


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _longer(said: str) -> str:
    return " ".join(LONG.get(word, word) for word in said.split())


def _split(line: str, by: str) -> list[str]:
    return [part.strip() for part in line.split(by) if part.strip()]


def _sentence(template: str, *fillers: str) -> str:
    return template.format(*fillers).replace(" ?", "?")


def _near() -> Iterator[tuple[str, str, str]]:
    how = template = ""
    for line in _lines(TEMPLATES):
        if line.startswith("  "):
            for pair in _split(line, ";"):
                one, other = pair.split(" / ")
                yield _sentence(template, one.strip()), _sentence(template, other.strip()), how
        elif "{}" in line:
            template = line
        else:
            how = line
    for line in _lines(WRITTEN + FOUND):
        if " <> " in line:
            one, other = line.replace("@", "\n").split(" <> ")
            yield one, other, how
        else:
            how = line


def _free() -> Iterator[tuple[str, str, str]]:
    for line in _lines(REWORDED):
        one, other = line.split(" <> ")
        yield one, other, "free"
    template = ""
    for line in _lines(REWORDINGS):
        if not line.startswith("  "):
            template = line
            continue
        for n, filler in enumerate(_split(line, ";")):
            one, other = (side.format(filler).format(LANGUAGES[n % 8]) for side in template.split(" <> "))
            yield one, other, "free"


def near_misses() -> list[Pair]:
    made = []
    for n, (one, other, how) in enumerate(_near()):
        if one.startswith(FRAMES[0]) and other.startswith(FRAMES[0]):
            other = FRAMES[n % len(FRAMES)] + other.removeprefix(FRAMES[0])
        made.append({"one": one, "other": other, "how": how})
    return made


def paraphrases() -> list[Pair]:
    made = []
    questions = [said for line in _lines(QUESTIONS) for said in _split(line, ";")]
    for n, said in enumerate(questions):
        for how, change in CHANGES:
            one, other = change(said, LANGUAGES[n % len(LANGUAGES)])
            if one != other:
                made.append({"one": one, "other": other, "how": f"trivial: {how}"})
    return [*made, *({"one": one, "other": other, "how": how} for one, other, how in _free())]


FILES: dict[str, Callable[[], list[Pair]]] = {"near_misses.jsonl": near_misses, "paraphrases.jsonl": paraphrases}


def text(pairs: list[Pair]) -> str:
    return "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)


if __name__ == "__main__":
    for name, make in FILES.items():
        (HERE / name).write_text(text(make()), "utf-8")
