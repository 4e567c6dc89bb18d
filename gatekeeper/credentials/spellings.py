"""The spellings in which a server may send a secret back. Pure."""

import base64
import json
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Final

SHORTEST_SECRET: Final = 8
"""Characters; what is shorter stands in ordinary text too."""


def spellings(secrets: Iterable[str]) -> list[bytes]:
    """Give each form of each secret, the longest first."""
    forms = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
    return sorted(forms, key=len, reverse=True)


def _forms(secret: str) -> Iterator[bytes]:
    """Give the spellings in which a server may send a secret back."""
    yield secret.encode()
    yield urllib.parse.quote(secret, safe="").encode()
    yield urllib.parse.quote_plus(secret).encode()
    yield json.dumps(secret)[1:-1].encode()
    yield json.dumps(secret)[1:-1].replace("/", "\\/").encode()
    yield secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").encode()
    yield base64.b64encode(secret.encode()).rstrip(b"=")
