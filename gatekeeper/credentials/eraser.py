"""Takes secrets out of bytes, also of such as come in pieces."""

from collections.abc import Sequence
from typing import Final, override

REMOVED: Final = "‹removed›".encode()


class Eraser:
    """Holds back what may be the beginning of a secret, and nothing else."""

    __slots__ = ("_held", "_secrets")

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = tuple(secrets)
        self._held = b""

    def whole(self, data: bytes) -> bytes:
        """Give bytes that are complete, without the secrets."""
        for secret in self._secrets:
            data = data.replace(secret, REMOVED)
        return data

    def feed(self, data: bytes) -> bytes:
        """Give what may go on of bytes that others follow."""
        data = self.whole(self._held + data)
        held = max((_beginning(data, secret) for secret in self._secrets), default=0)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def rest(self) -> bytes:
        """Give what was held back, at the end."""
        held, self._held = self._held, b""
        return held

    @override
    def __repr__(self) -> str:
        return "Eraser(‹secret›)"


def _beginning(data: bytes, secret: bytes) -> int:
    """Count the bytes at the end of `data` with which a secret begins."""
    sizes = range(min(len(secret) - 1, len(data)), 0, -1)
    return next((size for size in sizes if data.endswith(secret[:size])), 0)
