"""The table of providers in the documents is made from the catalog; `LYNKR_WRITE_DOCS=1` writes it anew."""

from __future__ import annotations

from pathlib import Path

from documents import check

from lynkr.lane import Auth
from lynkr.upstream.catalog import Provider
from lynkr.upstream.providers import PROVIDERS

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "providers.md"
BEGIN = "<!-- made by tests/upstream/test_documented.py -->"


def made() -> str:
    lines = ["", "", "| provider | speaks, and where | key |", "|---|---|---|"]
    for name, provider in PROVIDERS.items():
        lines.append(f"| `{name}` | {'<br>'.join(ways(provider))} | {key(provider)} |")
    return "\n".join([*lines, "", ""])


def ways(provider: Provider) -> list[str]:
    said = []
    for way in provider.ways:
        where = (way.host or provider.example.removesuffix("/v1") or "…") + way.path
        where = where.replace("{google}", "aiplatform.googleapis.com")
        when = " if asked for" if way.named else ""
        said.append(f"{', '.join(way.formats)}{when}: `{where}`")
    return said


def key(provider: Provider) -> str:
    if provider.auth is Auth.CLIENT:
        return "the tool's own login"
    said = [f"`{name}`" for name in provider.key_env]
    if provider.cloud:
        said.append(f"your login ({provider.cloud})")
    return " or ".join(said) or "none, unless the lane names one"


def test_the_document_lists_every_provider() -> None:
    check(DOCUMENT, BEGIN, made())
