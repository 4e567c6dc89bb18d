"""Calls as curl commands, for reading and for trying them against a stand-in. What was masked stays masked."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from gatekeeper.replay.calls import Call
from gatekeeper.replay.export.values import iso_time, legal_url, text_of

CURLS_OWN: Final = frozenset({"host", "content-length", "connection", "accept-encoding", "transfer-encoding"})
"""Headers that curl writes itself."""


def curl_lines(calls: Iterable[Call]) -> Iterator[str]:
    """Give a shell script: a comment and a command for each call."""
    yield "#!/bin/sh\n# Recorded requests, masked: <…> and ‹removed› stand for what was there.\n"
    for call in calls:
        subject = _comment(call.request.subject.sub)
        yield f"\n# call {call.number}, entry {call.entry.seq}, {iso_time(call.started)}, {subject}\n{_command(call)}\n"


def _command(call: Call) -> str:
    request = call.request
    words = ["curl", "--request", request.method, "--globoff", legal_url(request.url)]
    for name, value in request.headers:
        if name.lower() not in CURLS_OWN:
            words += ["--header", f"{name}: {value}" if value else f"{name};"]
    if call.asked is not None:
        text, is_base64 = text_of(call.asked)
        if is_base64:
            return f"printf %s {shlex.quote(text)} | base64 -d | {shlex.join([*words, '--data-binary', '@-'])}"
        words += ["--data-raw", text]
    return shlex.join(words)


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
