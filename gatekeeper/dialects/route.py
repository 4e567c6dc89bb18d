"""Which dialect is spoken at a host and path. Pure.

The path's shape decides, since OpenAI-compatible servers stand on any host; known hosts help where it says
nothing.
"""

import re
from typing import Final
from urllib.parse import unquote

import msgspec

from gatekeeper.exchange import DialectName

# Host: its `gen_ai.provider.name` (OpenTelemetry's where it has one), and what it speaks at paths of no known shape.
_HOSTS: Final = {
    "api.openai.com": ("openai", DialectName.OPENAI),
    "api.anthropic.com": ("anthropic", DialectName.ANTHROPIC),
    "generativelanguage.googleapis.com": ("gcp.gemini", DialectName.GEMINI),
    "api.mistral.ai": ("mistral_ai", DialectName.OPENAI),
    "api.cohere.com": ("cohere", DialectName.HTTP),
    "api.cohere.ai": ("cohere", DialectName.HTTP),
    "api.groq.com": ("groq", DialectName.OPENAI),
    "api.x.ai": ("x_ai", DialectName.OPENAI),
    "api.deepseek.com": ("deepseek", DialectName.OPENAI),
    "openrouter.ai": ("openrouter", DialectName.OPENAI),
    "api.together.xyz": ("together", DialectName.OPENAI),
    "api.together.ai": ("together", DialectName.OPENAI),
    "api.perplexity.ai": ("perplexity", DialectName.OPENAI),
}
_HOST_SUFFIXES: Final = (
    (".openai.azure.com", "azure.ai.openai"),
    (".api.openai.com", "openai"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
)
_PROVIDERS: Final = {
    DialectName.OPENAI: "openai",
    DialectName.ANTHROPIC: "anthropic",
    DialectName.GEMINI: "gcp.gemini",
    DialectName.BEDROCK: "aws.bedrock",
    DialectName.MCP: "",
    DialectName.HTTP: "",
}

# The last segment of a path, and its `gen_ai.operation.name`.
_OPENAI_OPERATIONS: Final = {"completions": "text_completion", "responses": "chat", "embeddings": "embeddings"}
_GEMINI_OPERATIONS: Final = {
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
}
# The last segment of a Bedrock path, after `/model/` and the model, and whether it streams.
_BEDROCK_OPERATIONS: Final = {
    "converse": False, "converse-stream": True, "invoke": False, "invoke-with-response-stream": True,
}  # fmt: skip
_OPENAI_ROOT: Final = re.compile(r".*/(?:v[0-9]+|openai|deployments/[^/]+)")
_BEDROCK_MODEL: Final = re.compile(r"/model/(?P<model>.+)")  # the name of an inference profile has slashes
_DEPLOYMENT: Final = re.compile(r".*/deployments/(?P<model>[^/]+)/")


class Route(msgspec.Struct, frozen=True):
    """What host and path say of a call; `operation`, `model` and `stream` are empty where they say nothing."""

    dialect: DialectName
    provider: str
    operation: str = ""
    model: str = ""
    stream: bool = False


def dialect_of(host: str, path: str) -> DialectName:
    """Tell which dialect is spoken at a path in normal form; HTTP where none is known."""
    return route_of(host, path).dialect


def route_of(host: str, path: str) -> Route:
    """Read host and path."""
    provider, native = _HOSTS.get(host) or (_provider_by_suffix(host), DialectName.HTTP)
    head, _, last = path.rstrip("/").rpartition("/")
    model, colon, verb = last.partition(":")
    if colon and verb in _GEMINI_OPERATIONS and head.endswith(("/models", "/tunedModels")):
        stream = verb == "streamGenerateContent"
        return _route(DialectName.GEMINI, provider, _GEMINI_OPERATIONS[verb], model, stream=stream)
    if last in _BEDROCK_OPERATIONS and (found := _BEDROCK_MODEL.fullmatch(head)):
        return _route(DialectName.BEDROCK, provider, "chat", unquote(found["model"]), stream=_BEDROCK_OPERATIONS[last])
    if last == "completions" and head.endswith("/chat"):
        return _route(DialectName.OPENAI, provider, "chat", _deployment(path))
    if last in _OPENAI_OPERATIONS and (native is DialectName.OPENAI or _OPENAI_ROOT.fullmatch(head)):
        return _route(DialectName.OPENAI, provider, _OPENAI_OPERATIONS[last], _deployment(path))
    if last == "messages" and head.endswith("/v1"):
        return _route(DialectName.ANTHROPIC, provider, "chat")
    return _route(native, provider)


def _route(dialect: DialectName, provider: str, operation: str = "", model: str = "", *, stream: bool = False) -> Route:
    return Route(dialect, provider or _PROVIDERS[dialect], operation, model, stream)


def _provider_by_suffix(host: str) -> str:
    return next((provider for suffix, provider in _HOST_SUFFIXES if host.endswith(suffix)), "")


def _deployment(path: str) -> str:
    """Azure names the model's deployment in the path, not in the body."""
    found = _DEPLOYMENT.match(path) if "/deployments/" in path else None
    return found["model"] if found else ""
