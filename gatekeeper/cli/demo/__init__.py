"""`gatekeeper demo`: the whole story in a minute, with a real agent, a mock model, and nothing simulated inside."""

from gatekeeper.cli.demo.command import demo

__all__ = ["demo"]
