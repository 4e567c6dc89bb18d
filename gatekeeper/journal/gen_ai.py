"""Names under which the journal keeps what a model was asked and used (OpenTelemetry GenAI semantic conventions)."""

from typing import Final

from gatekeeper.journal.entries import Scalars

MODEL: Final = "gen_ai.request.model"
ANSWERED_MODEL: Final = "gen_ai.response.model"
USED: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")


def tokens_used(attributes: Scalars) -> int:
    """Sum up the tokens that an answer says were used, both ways."""
    return sum(used for name in USED if isinstance(used := attributes.get(name), int))
