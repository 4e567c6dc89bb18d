"""What an exchange is about, in a dialect's terms, free of the provider's wire format."""

import enum

import msgspec


class DialectName(enum.Enum):
    """A provider's wire format. `HTTP` is any other."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    BEDROCK = "bedrock"
    MCP = "mcp"
    HTTP = "http"


class ToolCall(msgspec.Struct, frozen=True):
    """A tool that a model proposes to call, or that a request reports as called. `arguments` is JSON text."""

    name: str
    arguments: str


class ExchangeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A request, read. `prompt` is the text of its messages, decoded; it is never recorded from here.

    `tools` are offered to a model; `tool_calls` are those that the request itself makes (MCP), never a history's.
    """

    dialect: DialectName
    operation: str = ""
    model: str = ""
    stream: bool = False
    prompt: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    gen_ai: dict[str, str | int | list[str]] = {}


class AnswerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, read: tool calls it proposes, and the metadata the journal keeps. No text of messages."""

    tool_calls: tuple[ToolCall, ...] = ()
    gen_ai: dict[str, str | int | list[str]] = {}
