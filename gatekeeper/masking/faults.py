"""What makes a body impossible to inspect. The texts are our own and never quote the body."""


class UnreadableBody(ValueError):
    """The body can't be inspected: malformed, undecodable, or too much work. It must not pass."""


class UnknownEncoding(ValueError):
    """The body wears a content encoding that is not known here. It must not pass."""


class BodyTooLarge(ValueError):
    """The decoded body is over its limit. It must not pass."""
