"""Checks of `[[journal.anchors]]`: what one key's value means for another's."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from gatekeeper.config.model import ANCHOR_KINDS, AnchorConfig, Config

SYSLOG_SCHEMES: Final = ("udp", "tcp", "tls", "unix")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

type Problem = tuple[str, str]


def anchor_problems(config: Config) -> Iterator[Problem]:
    """Give what is wrong with the places that checkpoints go to."""
    names: set[str] = set()
    for number, anchor in enumerate(config.journal.anchors):
        key = f"journal.anchors[{number}]"
        yield from ((f"{key}{place}", problem) for place, problem in _anchor(anchor))
        if anchor.label in names:
            yield f"{key}.name", f"another anchor is called {anchor.label!r} too; give this one a name of its own"
        names.add(anchor.label)
    if config.journal.retention < 0:
        yield "journal.retention", "is a period: 0 keeps everything"


def _anchor(anchor: AnchorConfig) -> Iterator[Problem]:
    given = [kind for kind in ANCHOR_KINDS if getattr(anchor, kind)]
    if len(given) != 1:
        yield "", f"expected exactly one of {', '.join(ANCHOR_KINDS)}, got {', '.join(given) or 'none'}"
        return
    if not _NAME.fullmatch(anchor.label):
        yield ".name", "expected letters, digits, . _ and -, at most 64"
    if anchor.syslog and urlsplit(anchor.syslog).scheme not in SYSLOG_SCHEMES:
        yield ".syslog", "expected udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH"
    for kind in ("http", "rfc3161"):
        yield from ((f".{kind}", problem) for problem in _url(getattr(anchor, kind)))
    if anchor.headers and not anchor.http:
        yield ".headers", "belong to http only"
    if bool(anchor.roots) != bool(anchor.rfc3161):
        yield ".roots", "goes with rfc3161: a PEM file of the authority's root certificates"


def _url(text: str) -> Iterator[str]:
    if not text:
        return
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname:
        yield "expected http://… or https://…"
    if url.username or url.password:
        yield "holds a password, which would be recorded; put it into headers"
