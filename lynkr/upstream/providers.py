"""The providers, as data.

Sources: each vendor's API reference and SDK (base URLs, headers, variables), read 2026-11; docs/providers.md shows the
same to users and is generated from here.
"""

from __future__ import annotations

from lynkr.lane import Auth, Format
from lynkr.upstream.catalog import Provider, Way

_ANTHROPIC, _CHAT, _RESPONSES = Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES
_ALL_THREE = (_CHAT, _ANTHROPIC, _RESPONSES)
_BEARER = ("authorization",)

# Amazon names a model by its maker; a geography before it, a date or a version behind it are of the older endpoint.
_ON_MANTLE = r"^anthropic\.claude-[a-z]+-\d+(-\d{1,2})?$"
_CLAUDE = r"claude|anthropic"
_NOT_AI = r"^(?!system\.ai\.)"


def _local(name: str, port: int) -> Provider:
    """A server on this machine, at the port that it takes by itself."""
    return Provider(name, (Way(_ALL_THREE, f"http://127.0.0.1:{port}", "/v1"),), auth=Auth.NONE)


def _like_openai(name: str, base: str, *more: Way, key_env: str, console: str) -> Provider:
    host, path = base[: base.index("/", len("https://"))], base[base.index("/", len("https://")) :]
    return Provider(name, (Way((_CHAT,), host, path), *more), (key_env,), console=console)


_ALL = (
    Provider("anthropic", (Way((_ANTHROPIC,), "https://api.anthropic.com"),), ("ANTHROPIC_API_KEY",),
             console="https://platform.claude.com/settings/keys"),
    # A Claude subscription: the login of Claude Code, which is for Claude Code alone.
    Provider("claude", (Way((_ANTHROPIC,), "https://api.anthropic.com"),), auth=Auth.CLIENT, only_for="claude",
             origin="anthropic"),
    Provider(
        "azure-anthropic",
        (Way((_ANTHROPIC,), path="/anthropic", carries=("x-api-key", "api-key")),),
        ("ANTHROPIC_FOUNDRY_API_KEY", "AZURE_API_KEY"),
        cloud="azure", scope="https://ai.azure.com/.default",
        whole_host=True, example="https://NAME.services.ai.azure.com", console="https://ai.azure.com",
    ),
    Provider(
        "azure-openai",
        (
            Way((_RESPONSES, _CHAT), path="/openai/v1", carries=("api-key",)),
            Way((_CHAT,), path="/openai/deployments/{model}", carries=("api-key",), named=True,
                query="api-version={api_version}"),
        ),
        ("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
        cloud="azure", scope="https://cognitiveservices.azure.com/.default",
        whole_host=True, example="https://NAME.openai.azure.com", console="https://ai.azure.com",
    ),
    Provider(
        "bedrock",
        (
            Way((_ANTHROPIC,), "https://bedrock-mantle.{region}.api.aws", "/anthropic", _BEARER, _ON_MANTLE,
                service="bedrock-mantle"),
            Way((Format.BEDROCK_INVOKE,), "https://bedrock-runtime.{region}.amazonaws.com", "", _BEARER, _CLAUDE,
                service="bedrock"),
            Way((Format.BEDROCK_CONVERSE,), "https://bedrock-runtime.{region}.amazonaws.com", "", _BEARER,
                service="bedrock"),
            Way((_RESPONSES, _CHAT), "https://bedrock-mantle.{region}.api.aws", "/openai/v1", _BEARER,
                r"^openai\.gpt-[5-9]", service="bedrock-mantle"),
            Way((_CHAT, _RESPONSES), "https://bedrock-mantle.{region}.api.aws", "/v1", _BEARER, named=True,
                service="bedrock-mantle"),
        ),
        ("AWS_BEARER_TOKEN_BEDROCK",),
        cloud="aws", needs_model=True, whole_host=True, console="https://console.aws.amazon.com/bedrock",
    ),
    Provider(
        "databricks",
        (
            # Its gateway's names of models begin like this, those of serving endpoints do not.
            Way((_ANTHROPIC,), path="/ai-gateway/anthropic", carries=_BEARER, models=r"^system\.ai\..*claude"),
            Way((_CHAT,), path="/ai-gateway/mlflow/v1", models=r"^system\.ai\."),
            Way((_ANTHROPIC,), path="/serving-endpoints/anthropic", carries=_BEARER, models=rf"{_NOT_AI}.*claude"),
            Way((_CHAT,), path="/serving-endpoints", models=_NOT_AI),
            Way((_RESPONSES,), path="/serving-endpoints", models=_NOT_AI, named=True),
        ),
        ("DATABRICKS_TOKEN",),
        cloud="databricks", needs_model=True, whole_host=True, example="https://NAME.cloud.databricks.com",
    ),
    Provider(
        "vertex",
        (
            Way((Format.VERTEX_ANTHROPIC,), "https://{google}",
                "/v1/projects/{project}/locations/{region}/publishers/anthropic", models="claude"),
            Way((Format.GEMINI,), "https://{google}", "/v1/projects/{project}/locations/{region}/publishers/google",
                models="^(?!.*claude)"),
        ),
        auth=Auth.CLOUD, cloud="google", needs_model=True, whole_host=True, region="global",
    ),
    Provider("gemini", (Way((Format.GEMINI,), "https://generativelanguage.googleapis.com"),),
             ("GEMINI_API_KEY", "GOOGLE_API_KEY"), console="https://aistudio.google.com/apikey"),
    Provider(
        "openai", (Way((_RESPONSES, _CHAT), "https://api.openai.com", "/v1"),), ("OPENAI_API_KEY",),
        # A ChatGPT login is honoured by ChatGPT's own backend only; Codex marks such requests with the account.
        elsewhere={"chatgpt-account-id": "https://chatgpt.com/backend-api/codex"},
        console="https://platform.openai.com/api-keys",
    ),
    Provider("openrouter", (Way(_ALL_THREE, "https://openrouter.ai", "/api/v1", _BEARER),), ("OPENROUTER_API_KEY",),
             console="https://openrouter.ai/keys"),
    Provider("ollama", (Way((Format.OLLAMA,), "http://127.0.0.1:11434"),), auth=Auth.NONE),
    _local("llamacpp", 8080),
    _local("lmstudio", 1234),
    _local("vllm", 8000),
    _like_openai("deepseek", "https://api.deepseek.com/v1",
                 Way((_ANTHROPIC,), "https://api.deepseek.com", "/anthropic"),
                 key_env="DEEPSEEK_API_KEY", console="https://platform.deepseek.com/api_keys"),
    Provider("moonshot", (Way((_CHAT, _RESPONSES), "https://api.moonshot.ai", "/v1"),
                          Way((_ANTHROPIC,), "https://api.moonshot.ai", "/anthropic", _BEARER)),
             ("MOONSHOT_API_KEY",), console="https://platform.moonshot.ai/console/api-keys"),
    _like_openai("zai", "https://api.z.ai/api/paas/v4",
                 Way((_ANTHROPIC,), "https://api.z.ai", "/api/anthropic", _BEARER),
                 key_env="ZAI_API_KEY", console="https://z.ai/manage-apikey/apikey-list"),
    Provider("minimax", (Way((_CHAT, _RESPONSES), "https://api.minimax.io", "/v1"),
                         Way((_ANTHROPIC,), "https://api.minimax.io", "/anthropic", _BEARER)),
             ("MINIMAX_API_KEY",), console="https://platform.minimax.io"),
    _like_openai("groq", "https://api.groq.com/openai/v1", key_env="GROQ_API_KEY",
                 console="https://console.groq.com/keys"),
    _like_openai("xai", "https://api.x.ai/v1", key_env="XAI_API_KEY", console="https://console.x.ai"),
    _like_openai("mistral", "https://api.mistral.ai/v1", key_env="MISTRAL_API_KEY",
                 console="https://console.mistral.ai/api-keys"),
    # Whatever else there is: the lane says where it is and what is spoken there.
    Provider("custom", (Way((_CHAT,)),), auth=Auth.NONE, example="https://HOST/v1"),
)  # fmt: skip

PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in _ALL}

# A host of these that cannot be found is no typing mistake.
OWN_HOSTS = frozenset(
    url.removeprefix("https://").partition("/")[0]
    for provider in _ALL
    for url in (*(way.host for way in provider.ways), *provider.elsewhere.values())
    if url.startswith("https://") and "{" not in url
)
