"""Coverage-guided fuzzing of the parsers of identity and relay: run by `test_atheris.py`, or by hand for hours.

uv run --with atheris python tests/security/fuzz_identity.py -max_total_time=3600
"""

import base64
import sys
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["gatekeeper"]):
    from gatekeeper.identity import IdentityError, KeySet, TradeRefused, read_offer, read_proxy_credential
    from gatekeeper.identity.fetch import check_address, read_discovery
    from gatekeeper.identity.profiles import trust_domain
    from gatekeeper.identity.token import fingerprint_of, read_token
    from gatekeeper.relay.head import read_answer, read_request


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _token(data: bytes) -> None:
    """Take a token whose parts are these bytes, and one that is these bytes."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in data.split(b"\n", 2)]
    for text in (".".join(parts), _text(data)):
        try:
            fingerprint_of(text)
            read_token(text)
        except IdentityError:
            continue


PARSERS: list[Callable[[bytes], object]] = [
    _token,
    lambda data: read_proxy_credential([_text(data)]),
    lambda data: read_proxy_credential([f"Basic {base64.b64encode(data).decode()}"]),
    KeySet.parse,
    lambda data: read_discovery(data, "https://one.example"),
    lambda data: check_address(_text(data)),
    lambda data: trust_domain(_text(data)),
    lambda data: read_offer(data, "gatekeeper"),
    read_request,
    read_answer,
]


def one(data: bytes) -> None:
    """Hand the bytes to the parser that the first of them chooses: it gives something, or says no in its own words."""
    if not data:
        return
    try:
        PARSERS[data[0] % len(PARSERS)](data[1:])
    except (IdentityError, TradeRefused):
        return
    except ValueError as error:
        if type(error) is not ValueError or "\n" in str(error):
            raise


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
