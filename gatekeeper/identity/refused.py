"""Why an identity was refused."""

from gatekeeper.exchange import Reason


class IdentityError(ValueError):
    """The caller did not prove who it is. The text is one line for people, without a word of the token."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class UnknownKeyError(IdentityError):
    """The token names a key that its issuer is not known to have; new keys may tell more."""

    def __init__(self, kid: str) -> None:
        super().__init__(Reason.BAD_TOKEN, "the token is signed with a key that its issuer does not list (kid)")
        self.kid = kid
