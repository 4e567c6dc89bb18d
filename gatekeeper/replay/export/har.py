"""HTTP Archive 1.2 (http://www.softwareishard.com/blog/har-12-spec/): what browsers and proxies open."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import UNSET

from gatekeeper.journal import Recorded
from gatekeeper.journal.entries import HeaderPairs, ResponseData
from gatekeeper.replay.calls import Call
from gatekeeper.replay.export.values import iso_time, legal_url, milliseconds, text_of

UNKNOWN: Final = -1
"""What HAR writes for a size or a time that is not known."""


def har_pieces(calls: Iterable[Call], version: str) -> Iterator[str]:
    """Give an archive piece by piece, an entry a call in the order given. `version` is the gateway's."""
    creator = msgspec.json.encode({"name": "Gatekeeper", "version": version}).decode()
    yield f'{{"log":{{"version":"1.2","creator":{creator},"entries":['
    for number, call in enumerate(calls):
        yield ("," if number else "") + "\n" + msgspec.json.encode(_entry(call)).decode()
    yield "\n]}}\n"


def _entry(call: Call) -> dict[str, Any]:
    first, last = _timing(call)
    entry: dict[str, Any] = {
        "startedDateTime": iso_time(call.started),
        "time": milliseconds(last),
        "request": _request(call),
        "response": _response(call),
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds(first), "receive": milliseconds(last - first)},
    }
    upstream = call.response.upstream if call.response is not None else None
    if upstream is not None:
        entry["serverIPAddress"] = upstream.ip
    entry["_gatekeeper"] = {
        "seq": call.entry.seq,
        "exchange": call.exchange,
        "session": call.session,
        "subject": call.request.subject.sub,
        "verdict": call.request.verdict,
        "findings": call.request.findings,
        "outcome": call.outcome.value,
        "masked": True,
    }
    return entry


def _timing(call: Call) -> tuple[int, int]:
    if call.response is not None:
        return call.response.timing.first, call.response.timing.last
    took = call.ended - call.started
    return took, took


def _request(call: Call) -> dict[str, Any]:
    data = call.request
    request: dict[str, Any] = {
        "method": data.method,
        "url": legal_url(data.url),
        "httpVersion": data.http,
        "cookies": [],
        "headers": _fields(data.headers),
        "queryString": _fields(tuple(parse_qsl(urlsplit(data.url).query, keep_blank_values=True))),
        "headersSize": UNKNOWN,
        "bodySize": data.body.size if data.body is not None else 0,
    }
    if call.asked is not None:
        text, is_base64 = text_of(call.asked)
        request["postData"] = {"mimeType": call.asked.media, "text": text}
        if is_base64:
            request["postData"]["comment"] = "base64"
    return request


def _response(call: Call) -> dict[str, Any]:
    data = call.response
    return {
        "status": data.status if data is not None else 0,
        "statusText": _phrase(data.status) if data is not None else "",
        "httpVersion": call.request.http,
        "cookies": [],
        "headers": _fields(data.headers) if data is not None else [],
        "content": _content(call.answered, data),
        "redirectURL": _location(data),
        "headersSize": UNKNOWN,
        "bodySize": len(call.answered.data) if call.answered is not None else 0,
        "_error": getattr(call.end, "reason", "") if data is None else "",
    }


def _content(content: Recorded | None, data: ResponseData | None) -> dict[str, Any]:
    if content is None:
        size = data.body.size if data is not None and data.body is not None else 0
        return {"size": size, "mimeType": data.body.media if data is not None and data.body is not None else ""}
    text, is_base64 = text_of(content)
    written: dict[str, Any] = {"size": len(content.data), "mimeType": content.media, "text": text}
    if is_base64:
        written["encoding"] = "base64"
    if data is not None and data.uninspected is not UNSET:
        written["comment"] = f"not inspected: {data.uninspected}"
    return written


def _fields(pairs: HeaderPairs) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _location(data: ResponseData | None) -> str:
    headers = data.headers if data is not None else ()
    return next((legal_url(value) for name, value in headers if name.lower() == "location"), "")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
