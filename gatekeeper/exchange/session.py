"""A session: one run of a subject, named so that two subjects never share one (JOURNAL.md, "Leaf")."""

import enum
import functools
import hashlib
from typing import NewType

from gatekeeper.exchange.canonical import canonical_json

SessionId = NewType("SessionId", str)
"""32 lower-case hex digits."""


class SessionSource(enum.Enum):
    """What tells that calls belong together, in order of preference."""

    TRACE = "trace"
    JTI = "jti"
    WINDOW = "window"


@functools.lru_cache(maxsize=4096)  # each call of a session asks for it
def session_id(iss: str, sub: str, source: SessionSource, id_: str) -> SessionId:
    """Name the session of a subject from a W3C trace id, a token's `jti`, or the start of an idle window."""
    named = hashlib.sha256(canonical_json([iss, sub, source.value, id_])).hexdigest()
    return SessionId(named[:32])
