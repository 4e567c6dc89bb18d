"""The fixtures of the end-to-end tests that invariants are shown with too: a gateway as a process."""

from e2e.conftest import certificate, installation, model, processes, refunds, reply

__all__ = ["certificate", "installation", "model", "processes", "refunds", "reply"]
