"""The engine behind one interface: inspect first, let policy decide, then apply operators."""

import functools
from typing import Final, override

import msgspec

from gatekeeper.config import MaskingConfig
from gatekeeper.exchange import Finding, Message
from gatekeeper.masking.body import Body, read_body
from gatekeeper.masking.catalogue import DEFAULT_DETECTORS, DETECTOR_NAMES
from gatekeeper.masking.detector import Span
from gatekeeper.masking.document import rewrite
from gatekeeper.masking.head import Place, head_findings, masked_head, read_head, without_secrets
from gatekeeper.masking.operators import Operators, Restoring, Table, check_names
from gatekeeper.masking.pseudonyms import Book, Owner, Pseudonyms
from gatekeeper.masking.scanner import Scanner, Work, default_scanner
from gatekeeper.masking.strand import find, spans_of
from gatekeeper.masking.tokens import token_detectors

WORK_LIMIT: Final = 1 << 29
"""Characters times detectors run, for one message: 32 MiB of prose takes an eighth; at worst, a minute of one core."""


class OperatorSet(msgspec.Struct, frozen=True):
    """The operators of one direction: of what is sent, and of what is recorded."""

    sent: Operators
    recorded: Operators
    differ: bool

    @classmethod
    def of(cls, table: Table, key: bytes) -> "OperatorSet":
        """Make both from a table of the configuration."""
        sent = Operators(table, key)
        return cls(sent, Operators.recorded(table, key), sent.keeps)

    def bound(self, book: Book | None) -> "OperatorSet":
        """Give the same with the book of an exchange, to pseudonymize."""
        return OperatorSet(self.sent.bound(book), self.recorded.bound(book), self.differ) if book else self

    def restoring(self, book: Book | None) -> "OperatorSet":
        """Give the same with the book of an exchange, to put values back for the caller, never for the record."""
        if book is None:
            return self
        sent, recorded = self.sent.bound(book, Restoring.VALUE), self.recorded.bound(book, Restoring.TOKEN)
        return OperatorSet(sent, recorded, differ=True)


class Masker:
    """Finds what detectors see, and masks it as configured. Built once; immutable.

    `key` keys the `hash` operator. `earlier`: the masker before a reload, whose pseudonyms stay known.
    Raises ConfigError for a detector that isn't there.
    """

    __slots__ = ("_requests", "_responses", "answer_scanner", "pseudonyms", "scanner")

    def __init__(self, config: MaskingConfig, key: bytes, earlier: "Masker | None" = None) -> None:
        upstream = config.request.upstream
        table = {"default": upstream} if isinstance(upstream, str) else upstream
        check_names(table, "masking.request.upstream", DETECTOR_NAMES)
        check_names(config.response, "masking.response", DETECTOR_NAMES)
        self.scanner = default_scanner()
        self._requests = OperatorSet.of(table, key)
        self._responses = OperatorSet.of(config.response, key)
        self.answer_scanner = _restoring_scanner() if self._requests.sent.pseudonymizes else self.scanner
        self.pseudonyms: Pseudonyms = Pseudonyms(config.pseudonyms, key, earlier.pseudonyms if earlier else None)

    @property
    def detector_names(self) -> tuple[str, ...]:
        """The entities that can be found."""
        return DETECTOR_NAMES

    def book(self, owner: Owner, session: str) -> Book | None:
        """Open the book of pseudonyms of one exchange; none where nothing is pseudonymized."""
        used = self._requests.sent.pseudonymizes or self._responses.sent.pseudonymizes
        return self.pseudonyms.book(owner, session) if used else None

    def requests(self, book: Book | None = None) -> OperatorSet:
        """Give the operators for requests."""
        return self._requests.bound(book)

    def responses(self, book: Book | None = None) -> OperatorSet:
        """Give the operators for answers: what was pseudonymized in the request is put back."""
        puts_back = self._requests.sent.pseudonymizes
        return self._responses.restoring(book) if puts_back else self._responses.bound(book)

    def inspect(self, message: Message) -> "Inspected":
        """Find what is in a message, whose body has no content encoding any more; raises UnreadableBody."""
        work = Work(WORK_LIMIT)
        scanner = self.answer_scanner if message.status else self.scanner
        places = read_head(scanner, message, work)
        body = read_body(scanner, message.body, _media(message), work) if message.body else None
        return Inspected(message, self, places, body)

    @override
    def __repr__(self) -> str:
        return "Masker(‹secret›)"


def _media(message: Message) -> str:
    """Give the content type; nothing where there are several, of which a client may take any."""
    several = {value for name, value in message.headers if len(name) == _NAME and name.lower() == "content-type"}
    return several.pop() if len(several) == 1 else ""


_NAME: Final = len("content-type")


class Inspected:
    """A message and what was found in it; operators are applied when asked for."""

    __slots__ = ("_body", "_masker", "_places", "findings", "message")

    def __init__(self, message: Message, masker: Masker, places: tuple[Place, ...], body: Body | None) -> None:
        self.message, self._masker, self._places, self._body = message, masker, places, body
        in_body = (Finding(entity, "body") for entity in body.document.entities()) if body else ()
        self.findings = (*head_findings(places), *in_body)

    @property
    def uninspected(self) -> str | None:
        """Why the body, or a part of it, could not be inspected; None where it was."""
        return self._body.uninspected if self._body else None

    @property
    def texts(self) -> tuple[str, ...]:
        """The decoded texts of the body, for rules over prompts."""
        return self._body.document.texts() if self._body else ()

    def upstream(self, book: Book | None = None) -> Message:
        """Give what goes upstream: the same object where nothing is masked."""
        return self._rendered(self._masker.requests(book).sent)

    def to_client(self, book: Book | None = None) -> Message:
        """Give what goes to the client: the same object where nothing is masked."""
        return self._rendered(self._masker.responses(book).sent)

    def recorded(self, book: Book | None = None) -> Message:
        """Give what may be recorded: nothing found is clear in it, nor is any credential."""
        direction = self._masker.responses(book) if self.message.status else self._masker.requests(book)
        return without_secrets(self._rendered(direction.recorded))

    def _rendered(self, operators: Operators) -> Message:
        message = masked_head(self.message, self._places, operators)
        if self._body is None:
            return message
        body = self._body.document.render(operators)
        return message if body == message.body else msgspec.structs.replace(message, body=body)

    @override
    def __repr__(self) -> str:
        return f"Inspected({len(self.findings)} findings)"


def mask_text(masker: Masker, text: str) -> str:
    """Mask plain text as answers are recorded: where they keep a value, it is replaced here."""
    operators = masker.responses().recorded
    changes = [
        (found.start, found.end, found.written(instead))
        for found in find(masker.scanner, text, Work(WORK_LIMIT))
        if (instead := operators.apply(found.entity, found.value)) is not None
    ]
    return rewrite(text, changes)


@functools.cache
def _restoring_scanner() -> Scanner:
    """Compile the table of detectors with the rows that find pseudonyms."""
    return Scanner((*DEFAULT_DETECTORS, *token_detectors(DETECTOR_NAMES)))


def find_spans(text: str) -> list[Span]:
    """Find what detectors see in plain text: code points, end exclusive."""
    return spans_of(default_scanner(), text)
