"""Gatekeeper: a forward proxy that proves who called, what was decided, and what was said."""

from typing import Final

VERSION: Final = "0.1.0"
