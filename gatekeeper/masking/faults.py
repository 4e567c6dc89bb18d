"""What makes a body impossible to inspect. The texts are our own and never quote the body."""


class UnreadableBody(ValueError):
    """The body can't be inspected: malformed, undecodable, or too much work. It must not pass."""


class TooMuchWork(UnreadableBody):
    """To inspect it takes more work than is allowed, in all or for one detector."""

    def __init__(self, detector: str = "") -> None:
        by = f" by detector {detector}" if detector else ""
        super().__init__(f"it takes more work{by} to inspect than is allowed")


class UnknownEncoding(ValueError):
    """The body wears a content encoding that is not known here. It must not pass."""


class BodyTooLarge(ValueError):
    """The decoded body is over its limit. It must not pass."""
