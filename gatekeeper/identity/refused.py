"""Why an identity was refused."""

from gatekeeper.exchange import Reason


class IdentityError(ValueError):
    """The caller did not prove who it is. The text is one line for people, without a word of the token."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
