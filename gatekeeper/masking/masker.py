"""The engine behind one interface: inspect first, let policy decide, then apply operators."""

import copy
import functools
from collections.abc import Mapping
from typing import Final, override

import msgspec

from gatekeeper.config import MaskingConfig, OperatorTables
from gatekeeper.exchange import Finding, Message
from gatekeeper.masking.body import Body, read_body
from gatekeeper.masking.detector import Span
from gatekeeper.masking.document import rewrite
from gatekeeper.masking.explain import Explanation, explain
from gatekeeper.masking.head import Place, head_findings, masked_head, read_head, without_secrets
from gatekeeper.masking.operators import Operators, Restoring, Table, check_names
from gatekeeper.masking.own import names_of, scanner_of
from gatekeeper.masking.pseudonyms import Book, Owner, Pseudonyms
from gatekeeper.masking.scanner import Scanner, Work, default_scanner
from gatekeeper.masking.scopes import EVERYWHERE, NO_RULES, Scope, Scopes
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

    __slots__ = (
        "_key",
        "_names",
        "_requests",
        "_responses",
        "_scoped",
        "_scopes",
        "answer_scanner",
        "pseudonyms",
        "scanner",
    )

    def __init__(
        self,
        config: MaskingConfig,
        key: bytes,
        earlier: "Masker | None" = None,
        rules: Mapping[str, OperatorTables] = NO_RULES,
    ) -> None:
        self._names = names_of(config)
        self._scopes = Scopes(config, rules)
        for place, table in self._scopes.named().items():
            check_names(table, place, self._names)
        self.scanner = scanner_of(config)
        self._key = key
        self.pseudonyms: Pseudonyms = Pseudonyms(config.pseudonyms, key, earlier.pseudonyms if earlier else None)
        self._scoped: dict[Scope, Masker] = {EVERYWHERE: self}
        self._hold(EVERYWHERE)

    def _hold(self, scope: Scope) -> None:
        """Take the operators of a scope."""
        request, response = self._scopes.tables(scope)
        self._requests, self._responses = OperatorSet.of(request, self._key), OperatorSet.of(response, self._key)
        restores = self._requests.sent.pseudonymizes
        self.answer_scanner = _restoring_scanner(self.scanner, self._names) if restores else self.scanner

    def under(self, host: str, rule: str | None) -> "Masker":
        """Give the same with the operators that hold for calls to a host that a rule lets through."""
        scope = self._scopes.of(host, rule)
        if scope not in self._scoped:
            scoped = copy.copy(self)
            scoped._hold(scope)  # noqa: SLF001 - a copy of this one
            self._scoped[scope] = scoped
        return self._scoped[scope]

    @property
    def detector_names(self) -> tuple[str, ...]:
        """The entities that can be found."""
        return self._names

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

    def under(self, masker: Masker) -> "Inspected":
        """Give the same, to be written with the operators of another masker."""
        other = copy.copy(self)
        other._masker = masker  # noqa: SLF001 - a copy of this one
        return other

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
def _restoring_scanner(scanner: Scanner, names: tuple[str, ...]) -> Scanner:
    """Compile the table of detectors with the rows that find pseudonyms."""
    return Scanner((*scanner.detectors, *token_detectors(names)), scanner.allowed)


def explanations(config: MaskingConfig, text: str) -> list[Explanation]:
    """Say of each place in a text that has the form of a value what became of it, and why."""
    return list(explain(scanner_of(config), text, Work(WORK_LIMIT)))


def find_spans(text: str, scanner: Scanner | None = None) -> list[Span]:
    """Find what detectors see in plain text: code points, end exclusive."""
    return spans_of(scanner or default_scanner(), text)
