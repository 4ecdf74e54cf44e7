"""What lynkr adds: `python tests/bench/bench.py [--rounds N] [--json]`.

Everything is measured against doing without lynkr in the same run, in turn, so that a slow moment of the machine hits
both. The client is the real child of a real `lynkr run`; upstream and client are processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LYNKR = [sys.executable, "-m", "lynkr", "run", "--quiet"]
# A lane of another format, so that every request and answer is translated.
TRANSLATED = (
    '[lanes.main]\nprovider = "openai"\nformat = "openai-chat"\nauth = "none"\nmodel = "m"\n'
    'base_url = "http://127.0.0.1:{port}/v1"\n'
)
PROFILE = '[lanes.main]\nprovider = "anthropic"\nauth = "client"\nbase_url = "http://127.0.0.1:{port}"\n'


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LYNKR_HOME": str(home / "lynkr")}


def relaying(home: Path, rounds: int, lane: str = PROFILE) -> dict[str, Any]:
    """Latency, CPU and memory of requests through a session."""
    server = subprocess.Popen([sys.executable, str(HERE / "upstream.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        port = server.stdout.readline().strip()
        path = home / "lynkr" / "config" / "profiles" / "bench.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lane.format(port=port))
        command = [*LYNKR, "-p", "bench", "--", sys.executable, str(HERE / "client.py"), port, str(rounds)]
        done = subprocess.run(command, env=environment(home), stdout=subprocess.PIPE, check=True, text=True)
        return dict(json.loads(done.stdout))
    finally:
        server.kill()
        server.wait()


def launching(home: Path, rounds: int) -> dict[str, float]:
    """Seconds from the command to the child running, and for a child that ends at once, with and without lynkr."""
    child, whole, bare, helped, completed, python = [], [], [], [], [], []
    helping, completing = [*LYNKR[:3], "--help"], [str(Path(sys.executable).with_name("lynkr"))]
    tab = {"_LYNKR_COMPLETE": "bash_complete", "COMP_WORDS": "lynkr run --", "COMP_CWORD": "2"}
    for _ in range(rounds):
        began = time.time_ns()
        done = subprocess.run(
            [*LYNKR, "--", "date", "+%s%N"], env=environment(home), stdout=subprocess.PIPE, check=True
        )
        child.append((int(done.stdout) - began) / 1e9)
        for command, into in (
            ([*LYNKR, "--", "true"], whole),
            (["true"], bare),
            (helping, helped),
            (completing, completed),
            ([sys.executable, "-c", "pass"], python),
        ):
            env = environment(home) | (tab if command is completing else {})
            started = time.perf_counter()
            subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
            into.append(time.perf_counter() - started)
    return {
        "child_running_s": round(statistics.median(child), 3),
        "run_true_s": round(statistics.median(whole), 3),
        "true_s": round(statistics.median(bare), 4),
        "help_s": round(statistics.median(helped), 3),
        "complete_s": round(statistics.median(completed), 3),
        "python_s": round(statistics.median(python), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = {**relaying(Path(name), given.rounds), "launch": launching(Path(name), 15)}
        translated = relaying(Path(name), given.rounds, TRANSLATED)
        # Its upstream sends as fast as it can; what paces it is a header, and a translated lane sends none of the client's.
        for case in ("small", "300 kB", "400 events"):
            result[f"translated, {case}"] = translated[case]
    if given.json:
        print(json.dumps(result, indent=1))
        return
    for case, figures in result.items():
        print(case if isinstance(figures, dict) else f"{case:<28}{figures}")
        for figure, value in figures.items() if isinstance(figures, dict) else ():
            print(f"  {figure:<26}{value}")


if __name__ == "__main__":
    main()
