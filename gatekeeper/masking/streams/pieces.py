"""What the masking of a stream must know of an event: the pieces of texts in it, and which texts end with it."""

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from gatekeeper.masking.json_source import Json, Path

type Added = tuple[str, Json, Path]
"""An event that adds a piece: its name (empty: as the others'), its value, and where in it the piece stands."""


class TextPiece(msgspec.Struct, frozen=True):
    """A piece of one text: `channel` says of which, `path` where it stands; `added` gives an event for one more."""

    channel: Path
    path: Path
    text: str
    added: Callable[[str], Added]


class Reading(msgspec.Struct, frozen=True):
    """An event, read. `closes`: the channels under these end with it; `last`: it ends the answer.

    `strict`: what is closed can't go on. `tokens_stay`: its lists of tokens, if any, repeat just the text beside them.
    `others`: short strings that might be pieces too, of a text that nobody told us of.
    """

    pieces: tuple[TextPiece, ...] = ()
    closes: tuple[Path, ...] = ()
    last: bool = False
    strict: bool = True
    tokens_stay: bool = True
    others: tuple[tuple[Path, str], ...] = ()


EVERYTHING: Final[tuple[Path, ...]] = ((),)
"""What closes all channels."""


def number_of(item: Json, key: str, otherwise: int) -> int:
    """Give an index field, where there is one."""
    index = item.get(key) if isinstance(item, dict) else None
    return index if isinstance(index, int) else otherwise


def tokens_repeat(tokens: Json, texts: Iterable[str]) -> bool:
    """Tell whether a list of tokens with their probabilities, where there is any, repeats just these texts."""
    if not tokens:
        return True
    if not isinstance(tokens, list):
        return False
    return "".join(str(token.get("token")) if isinstance(token, dict) else "\0" for token in tokens) == "".join(texts)


_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words_of(name: str) -> set[str]:
    """Take a name apart: `response.output_text.delta`, `contentBlockStop`."""
    return {word.lower() for word in _WORD.findall(name)}
