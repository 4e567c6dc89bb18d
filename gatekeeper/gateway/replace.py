"""Puts classes and functions of our own in the place of mitmproxy's, by name."""

from types import ModuleType


def replace(module: ModuleType, **replacements: object) -> None:
    """Set names of a module; raises RuntimeError where it has no such name, and then changes nothing.

    A gateway without what is put in here would not be safe, so it does not start.
    """
    for name in replacements:
        if not hasattr(module, name):
            msg = f"this mitmproxy has no {module.__name__}.{name}; Gatekeeper needs mitmproxy 12.2 or 12.3"
            raise RuntimeError(msg)
    vars(module).update(replacements)
