"""Resolves the references in a credential's value: `${env:…}`, `${file:…}`, `${command:…}`, `${vault:…}`."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, override

import msgspec

from gatekeeper.config import REFERENCE, SecretTemplate, VaultConfig
from gatekeeper.credentials.sources import Fetched, FetchFailed, command, service
from gatekeeper.exchange import Reason

SECRET_LIMIT: Final = 64 * 1024


class CredentialUnavailable(ValueError):
    """A host's secret can't be had now. The text names the host and the reference, never a value."""

    reason: Final = Reason.CREDENTIAL_UNAVAILABLE

    def __init__(self, host: str, problem: str) -> None:
        super().__init__(f"credentials.{host}: {problem}")


class FileSecret:
    """A secret in a file, read at each use, so that it can be rotated under way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str:
        """Give the text without its last line end; raises OSError, or ValueError where it is no short text."""
        # Not blocking: a named pipe would hold up all calls.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode) or state.st_size > SECRET_LIMIT:
                msg = f"is no plain file of up to {SECRET_LIMIT} bytes"
                raise ValueError(msg)
            return _text(file.read(SECRET_LIMIT))


def _text(data: bytes) -> str:
    # Not by a failing decode: its error holds the whole secret.
    if not data.isascii():
        msg = "is not ASCII text"
        raise ValueError(msg)
    return data.decode("ascii").removesuffix("\n").removesuffix("\r")


class Variable:
    """An environment variable as it was at the start; None where it was not set."""

    def __init__(self, name: str, value: str | None) -> None:
        self.name = name
        self.value = value

    @override
    def __repr__(self) -> str:
        return f"Variable({self.name!r}, ‹secret›)"


class Sources(msgspec.Struct, frozen=True):
    """Where references lead: the environment at the start, and the service of `[vault]`."""

    environment: Mapping[str, str]
    service: VaultConfig

    def piece(self, kind: str, place: str, life: float) -> "Piece":
        """Give what a reference stands for; raises ValueError for a place that can't be one."""
        shown = f"${{{kind}:{place}}}"
        match kind:
            case "env":
                return Variable(place, self.environment.get(place))
            case "file":
                return FileSecret(_absolute(place))
            case "command":
                return Fetched(shown, _named(shown, lambda: command(place)), life)
            case _:
                return Fetched(shown, _named(shown, lambda: self._service(place)), life)

    def _service(self, place: str) -> Callable[[], str]:
        token = Secret("vault", self.service.token or SecretTemplate(""), self, 0)
        return service(self.service.address, place, token.resolve, self.service.ca)


class Secret:
    """A credential's value with its references. Variables are read at the start, files at each use.

    What takes a while is fetched by `prepare`, and read here as it was fetched last.
    """

    def __init__(self, host: str, template: SecretTemplate, sources: Sources, life: float) -> None:
        """Take the value apart; raises ValueError for a reference that is not known."""
        self._host = host
        self._pieces = tuple(_pieces(template.reveal(), sources, life))

    @override
    def __repr__(self) -> str:
        return f"Secret({self._host!r}, ‹secret›)"

    @property
    def slow(self) -> bool:
        """Whether a part of it has to be fetched first."""
        return any(isinstance(piece, Fetched) for piece in self._pieces)

    async def prepare(self) -> None:
        """Fetch what is missing or old."""
        for piece in self._pieces:
            if isinstance(piece, Fetched):
                await piece.prepare()

    def resolve(self) -> str:
        """Give the value to send; raises CredentialUnavailable."""
        value = "".join(self._read(piece) for piece in self._pieces)
        if not value.isascii() or not value.isprintable() or value != value.strip():
            # CR, LF or NUL in a secret would end the header and begin another (RFC 9110 §5.5).
            raise CredentialUnavailable(
                self._host, "its value holds line ends or other characters that no header may carry"
            )
        return value

    def _read(self, piece: "Piece") -> str:
        match piece:
            case str():
                return piece
            case Variable(name=name, value=value):
                if not value:
                    raise CredentialUnavailable(
                        self._host, f"${{env:{name}}} is not set; set it where the gateway starts"
                    )
                return value
            case FileSecret():
                return self._read_file(piece)
            case Fetched():
                try:
                    return piece.read()
                except FetchFailed as error:
                    raise CredentialUnavailable(self._host, f"{piece.shown} {error}") from error

    def _read_file(self, file: FileSecret) -> str:
        try:
            text = file.read()
        except OSError as error:
            raise CredentialUnavailable(self._host, f"${{file:{file.path}}} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise CredentialUnavailable(self._host, f"${{file:{file.path}}} {error}") from error
        if not text:
            raise CredentialUnavailable(self._host, f"${{file:{file.path}}} is empty")
        return text


type Piece = str | Variable | FileSecret | Fetched


def _pieces(text: str, sources: Sources, life: float) -> Iterator[Piece]:
    end = 0
    for found in REFERENCE.finditer(text):
        yield _literal(text[end : found.start()])
        end = found.end()
        yield sources.piece(found[1], found[2], life)
    yield _literal(text[end:])


def _named(shown: str, make: Callable[[], Callable[[], str]]) -> Callable[[], str]:
    try:
        return make()
    except ValueError as error:
        msg = f"{shown} {error}"
        raise ValueError(msg) from error


def _absolute(place: str) -> Path:
    path = Path(place)
    if not path.is_absolute():
        # Where the gateway is started must not decide which file's content is sent.
        msg = f"${{file:{place}}} must be an absolute path"
        raise ValueError(msg)
    return path


def _literal(text: str) -> str:
    if "${" in text:
        msg = "has a reference that is not known; there are ${env:…}, ${file:…}, ${command:…} and ${vault:…}"
        raise ValueError(msg)
    return text
