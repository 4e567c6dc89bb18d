"""The loopback proxy beside an application: it adds the current token to what goes to the gateway."""

from gatekeeper.relay.relay import Relay
from gatekeeper.relay.tokens import FileToken, RenewedToken, TokenSource, TokenUnavailable, command_token, issued_token

__all__ = [
    "FileToken",
    "Relay",
    "RenewedToken",
    "TokenSource",
    "TokenUnavailable",
    "command_token",
    "issued_token",
]
