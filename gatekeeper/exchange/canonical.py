"""Canonical JSON (RFC 8785) for the subset that Gatekeeper writes: ASCII keys, integers, no floats."""

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted")


def canonical_json(value: object) -> bytes:
    """Encode builtins and structs as RFC 8785 canonical JSON.

    msgspec escapes exactly what RFC 8785 §3.2.2.2 does, and sorting by code point equals its UTF-16
    order as long as keys are ASCII. Raises ValueError for text with a lone surrogate.
    """
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError as error:
        msg = "text with a lone surrogate has no canonical form"
        raise ValueError(msg) from error
