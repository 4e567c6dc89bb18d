"""Values that TOML has no type for: sizes, durations, templates that carry secrets."""

import re
from typing import Final, Self, override

_SIZE: Final = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?")
_SIZE_UNITS: Final = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_DURATION_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
REFERENCE: Final = re.compile(r"\$\{(env|file|command|vault):([^}]+)\}")
"""Where a secret is found instead of written down."""

_SCHEME: Final = re.compile(r"(?i)(bearer|basic|token|apikey) $")


class ByteSize(int):
    """A number of bytes, written `"32MiB"`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `32MiB`, `10KiB`, `512`; raises ValueError."""
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            msg = f"expected a size such as 32MiB, got {text!r}"
            raise ValueError(msg)
        return cls(int(match[1]) * _SIZE_UNITS[match[2]])

    @override
    def __str__(self) -> str:
        for unit in ("GiB", "MiB", "KiB"):
            whole, rest = divmod(self, _SIZE_UNITS[unit])
            if whole and not rest:
                return f"{whole}{unit}"
        return f"{int(self)}B"


class Seconds(float):
    """A duration in seconds, written `"10s"`, `"9m"`, `"1h"`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `250ms`, `10s`, `9m`, `1h`, `7d`; raises ValueError."""
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            msg = f"expected a duration such as 10s, 9m or 1h, got {text!r}"
            raise ValueError(msg)
        return cls(float(match[1]) * _DURATION_UNITS[match[2]])

    @override
    def __str__(self) -> str:
        for unit in ("d", "h", "m", "s"):
            whole, rest = divmod(float(self), _DURATION_UNITS[unit])
            if whole and not rest:
                return f"{whole:.0f}{unit}"
        return f"{self * 1000:.0f}ms"


class SecretTemplate:
    """Text with references (`${env:NAME}`, `${file:PATH}`, …) in it; whatever else it holds counts as secret.

    The references are resolved by `gatekeeper.credentials`; here they are only kept.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text as it was written, literal secrets included."""
        return self._text

    def shown(self) -> str:
        """Give the text with everything hidden but its references and a leading scheme word."""
        pieces: list[str] = []
        end = 0
        for match in REFERENCE.finditer(self._text):
            pieces += [_hide(self._text[end : match.start()]), match[0]]
            end = match.end()
        pieces.append(_hide(self._text[end:]))
        return "".join(pieces)

    @override
    def __repr__(self) -> str:
        return "‹secret›"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretTemplate) and self._text == other._text

    @override
    def __hash__(self) -> int:
        return hash(self._text)


def _hide(literal: str) -> str:
    return literal if not literal or _SCHEME.fullmatch(literal) else "‹secret›"
