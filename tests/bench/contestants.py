"""Whom lynkr is measured against, each as a process of its own before the same upstream."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
NGINX = """
worker_processes 1; daemon off; error_log stderr crit; pid {home}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fast;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi; client_max_body_size 64m; client_body_buffer_size 4m;
  keepalive_requests 1000000;
  upstream there {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_buffering off; }} }}
}}
"""
LYNKR = '[lanes.main]\nprovider = "anthropic"\nauth = "client"\nbase_url = "http://127.0.0.1:{upstream}"\n'
KEYED = (
    '[lanes.main]\nprovider = "anthropic"\nkey_env = "BENCH_KEY"\nbase_url = "http://127.0.0.1:{upstream}"\n'
    "[compress]\ntool_results = true\n"
)
LITELLM = """
model_list:
  - model_name: claude-opus-5-5
    litellm_params: {{model: anthropic/claude-opus-5-5, api_base: "http://127.0.0.1:{upstream}", api_key: sk-fake}}
"""


@dataclass(frozen=True)
class Contestant:
    """Somebody to be asked: where, and whose processor time it costs (None: nobody's)."""

    name: str
    version: str
    port: int
    prefix: str = ""
    pid: int | None = None


@contextlib.contextmanager
def server() -> Iterator[int]:
    """The upstream; gives its port."""
    with _running([sys.executable, str(HERE / "upstream.py")], {}) as process:
        yield _said_port(process)


@contextlib.contextmanager
def passthrough(upstream: int, home: Path) -> Iterator[Contestant]:
    with _running([sys.executable, str(HERE / "passthrough.py"), str(upstream)], {}) as process:
        yield Contestant("asyncio, bytes only", _python(), _said_port(process), pid=process.pid)


@contextlib.contextmanager
def lynkr(upstream: int, home: Path, profile: str = LYNKR, name: str = "lynkr") -> Iterator[Contestant]:
    """A session of its own; its child says where it is and waits."""
    path = home / "lynkr" / "config" / "profiles" / "bench.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(profile.format(upstream=upstream))
    env = {"HOME": str(home), "LYNKR_HOME": str(home / "lynkr"), "BENCH_KEY": "sk-fake"}
    child = ["sh", "-c", "echo $ANTHROPIC_BASE_URL; read line"]
    command = [sys.executable, "-m", "lynkr", "run", "--quiet", "-p", "bench", "--", *child]
    version = subprocess.run([sys.executable, "-m", "lynkr", "--version"], capture_output=True, text=True, check=True)
    with _running(command, env, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        where = urlsplit(process.stdout.readline().strip())
        assert where.port
        yield Contestant(name, _number(version.stdout), where.port, where.path, process.pid)


@contextlib.contextmanager
def nginx(upstream: int, home: Path) -> Iterator[Contestant]:
    port = _free()
    (home / "nginx.conf").write_text(NGINX.format(home=home, upstream=upstream, port=port))
    version = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    with _running(["nginx", "-c", str(home / "nginx.conf"), "-p", str(home)], {}) as process:
        _listening(port, 10)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Contestant("nginx", _number(version), port, pid=int(children[0]))


@contextlib.contextmanager
def claude_code_router(upstream: int, home: Path) -> Iterator[Contestant]:
    port, folder = _free(), home / ".claude-code-router"
    folder.mkdir()
    there = {"name": "there", "api_base_url": f"http://127.0.0.1:{upstream}/v1/messages", "api_key": "sk-fake",
             "models": ["claude-opus-5-5"], "transformer": {"use": ["Anthropic"]}}  # fmt: skip
    (folder / "config.json").write_text(
        json.dumps({"HOST": "127.0.0.1", "PORT": port, "LOG": False, "Providers": [there],
                    "Router": {"default": "there,claude-opus-5-5"}})
    )  # fmt: skip
    version = subprocess.run(["ccr", "-v"], capture_output=True, text=True, check=True, env=_env({"HOME": str(home)}))
    with _running(["ccr", "start"], {"HOME": str(home)}) as process:
        _listening(port, 30)
        yield Contestant("claude-code-router", _number(version.stdout), port, pid=process.pid)


@contextlib.contextmanager
def litellm(upstream: int, home: Path) -> Iterator[Contestant]:
    port = _free()
    (home / "litellm.yaml").write_text(LITELLM.format(upstream=upstream))
    env = {"HOME": str(home), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR",
           "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}  # fmt: skip
    said = subprocess.run(["litellm", "--version"], capture_output=True, text=True, check=True, env=_env(env))
    command = ["litellm", "--config", str(home / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(port)]
    with _running(command, env) as process:
        _listening(port, 120)
        yield Contestant("litellm", _number(said.stdout), port, pid=process.pid)


# What has to be installed for each.
PEERS: dict[str, Callable[[int, Path], contextlib.AbstractContextManager[Contestant]]] = {
    "nginx": nginx,
    "ccr": claude_code_router,
    "litellm": litellm,
}


def there(names: list[str]) -> list[str]:
    """Those of `names` that are installed."""
    return [name for name in names if shutil.which(name)]


@contextlib.contextmanager
def _running(
    command: list[str], env: dict[str, str], stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, env=_env(env), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _env(more: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}


def _said_port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def _number(text: str) -> str:
    found = re.search(r"\d+\.\d+[\w.+-]*", text)
    return found[0] if found else "?"


def _python() -> str:
    return "Python " + sys.version.split()[0]


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _listening(port: int, within_s: float) -> None:
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on {port}")
