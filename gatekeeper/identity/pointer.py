"""Where in a token's claims something is: a claim's name, or a JSON pointer (RFC 6901), which begins with a slash.

`groups` is a claim of that name; `/realm_access/roles` is the member `roles` of the claim `realm_access`. A name
that holds a slash further on, such as `https://example.com/roles`, is still a name. Pure.
"""

from collections.abc import Mapping
from typing import Final, override

ABSENT: Final = object()
"""What is found where nothing stands. A null that stands there is something else: a fault of the issuer's."""


class Pointer(tuple[str, ...]):
    """The names on the way, outermost first."""

    __slots__ = ()

    def find(self, claims: Mapping[str, object]) -> object:
        """Give what stands there, or ABSENT."""
        at: object = claims
        for name in self:
            at = at.get(name, ABSENT) if isinstance(at, Mapping) else ABSENT
        return at

    @override
    def __str__(self) -> str:
        return (
            self[0] if len(self) == 1 else "/" + "/".join(name.replace("~", "~0").replace("/", "~1") for name in self)
        )


def read_pointer(text: str) -> Pointer:
    """Read a claim's name or a JSON pointer (RFC 6901 §4: first `~1`, then `~0`)."""
    if not text.startswith("/"):
        return Pointer((text,))
    return Pointer(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))
