"""Reads the proxy credentials of a request: Basic with the token as password, or Bearer (RFC 7617, RFC 6750)."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final, override

import msgspec

from gatekeeper.exchange import Reason
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.token import TOKEN_LIMIT

# Base64 of a token at its limit, with room for the scheme and a user's name.
_VALUE_LIMIT: Final = 2 * TOKEN_LIMIT
_CREDENTIALS: Final = re.compile(r"(?P<scheme>[A-Za-z]+) +(?P<value>[A-Za-z0-9._~+/-]+={0,2})")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")


class Credential(msgspec.Struct, frozen=True):
    """A token as someone holds it; never shown."""

    token: str

    @override
    def __repr__(self) -> str:
        return "Credential(‹secret›)"


def read_proxy_credential(values: Sequence[str]) -> str | None:
    """Give the token that all `values` of Proxy-Authorization carry, or None where there is no such field.

    Raises IdentityError: TWO_CREDENTIALS where they differ, BAD_TOKEN where one can't be read.
    """
    tokens = {_token(value) for value in values}
    if len(tokens) > 1:
        raise IdentityError(
            Reason.TWO_CREDENTIALS, "the request carries two proxy credentials that differ; send one of them"
        )
    return tokens.pop() if tokens else None


def _token(value: str) -> str:
    found = _CREDENTIALS.fullmatch(value.strip(" \t")) if len(value) <= _VALUE_LIMIT else None
    if found is None:
        raise IdentityError(
            Reason.BAD_TOKEN, "Proxy-Authorization can't be read; expected Basic with the token as password, or Bearer"
        )
    match found["scheme"].lower():
        case "bearer":
            return found["value"]
        case "basic":
            return _password(found["value"])
        case _:
            raise IdentityError(
                Reason.BAD_TOKEN, "the scheme of Proxy-Authorization is not known; expected Basic or Bearer"
            )


def _password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise IdentityError(Reason.BAD_TOKEN, "the Basic proxy credentials are not base64 of UTF-8 text") from error
    _, colon, password = text.partition(":")
    if not colon or not _TOKEN.fullmatch(password):
        raise IdentityError(
            Reason.BAD_TOKEN,
            "the password of the Basic proxy credentials is no token; expected http://NAME:TOKEN@gateway:port",
        )
    return password
