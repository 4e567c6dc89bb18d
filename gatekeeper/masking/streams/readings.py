"""Which kind of event it is: told by its form, since compatible servers stand on any host."""

from typing import Final

from gatekeeper.masking.json_source import Json
from gatekeeper.masking.streams.anthropic import read_anthropic
from gatekeeper.masking.streams.bedrock import read_bedrock
from gatekeeper.masking.streams.chat import read_chat
from gatekeeper.masking.streams.gemini import read_gemini
from gatekeeper.masking.streams.generic import read_generic
from gatekeeper.masking.streams.pieces import Reading
from gatekeeper.masking.streams.responses import read_responses

_READERS: Final = (read_chat, read_responses, read_anthropic, read_gemini, read_bedrock)


def read_pieces(name: str, event: Json) -> Reading:
    """Read an event's value; `name` is what the framing calls it."""
    if isinstance(event, dict):
        for reader in _READERS:
            if (reading := reader(name, event)) is not None:
                return reading
    return read_generic(name, event)
