"""Detectors from the configuration: checked as far as a file can be, their examples included, before anything runs."""

import re
from collections.abc import Iterator
from typing import Final

import re2

from gatekeeper.config import ConfigError, DetectorConfig, MaskingConfig
from gatekeeper.masking.allow import NOTHING, Allowed
from gatekeeper.masking.catalogue import DEFAULT_DETECTORS, DETECTOR_NAMES, DETECTORS
from gatekeeper.masking.context import CONTEXT
from gatekeeper.masking.detector import Detector
from gatekeeper.masking.detectors.unspaced import apart
from gatekeeper.masking.scanner import Scanner, Work, default_scanner
from gatekeeper.masking.validators import VALIDATORS
from gatekeeper.masking.view import fold

MOST_WAYS: Final = 10_000
"""Ways to match from one place: each may have to be tried."""

_PRIORITY: Final = 10  # before those of the catalogue
# A match that begins or ends with a letter or digit is not part of a longer word.
_EDGE_BEFORE: Final = apart(r"(?:(?<!\w)|(?!\w))")
_EDGE_AFTER: Final = apart(r"(?:(?!\w)|(?<!\w))")
_EXAMPLE_WORK: Final = 1 << 30
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{1,40}")
_CLASSES: Final = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r\f\v"}
_TOKEN: Final = re.compile(
    r"\\.|\[(?:\^?\]?(?:\\.|[^\]\\])*)\]|\((?:\?[a-zA-Z-]*:)?|\)|\||\{\d+(?:,\d*)?\}|[*+?]|.", re.DOTALL
)


def scanner_of(config: MaskingConfig) -> Scanner:
    """Make the scanner that a configuration asks for; raises ConfigError with the key's path."""
    if config == MaskingConfig(
        request=config.request, pseudonyms=config.pseudonyms, response=config.response, hosts=config.hosts
    ):
        return default_scanner()
    return Scanner(table_of(config), allowed_of(config))


def table_of(config: MaskingConfig) -> tuple[Detector, ...]:
    """Give the detectors that are on; raises ConfigError."""
    own = tuple(own_detectors(config))
    names = {detector.entity for detector in (*DETECTORS, *own)}
    for key in ("enable", "disable"):
        for number, name in enumerate(getattr(config, key)):
            if name not in names:
                msg = f"masking.{key}[{number}]: no detector is named {name!r}"
                raise ConfigError(msg)
    on = {detector.entity for detector in (*DEFAULT_DETECTORS, *own)} | set(config.enable)
    return tuple(detector for detector in (*own, *DETECTORS) if detector.entity in on - set(config.disable))


def names_of(config: MaskingConfig) -> tuple[str, ...]:
    """Give the names of all detectors that there are."""
    return tuple(dict.fromkeys((*DETECTOR_NAMES, *(detector.name for detector in config.detectors))))


def allowed_of(config: MaskingConfig) -> Allowed:
    """Read the allow-lists; raises ConfigError."""
    allow = config.allow
    if not (allow.values or allow.domains or allow.fields):
        return NOTHING
    for number, path in enumerate(allow.fields):
        try:
            Allowed.of((), (), (path,))
        except ValueError as error:
            msg = f"masking.allow.fields[{number}]: {error}"
            raise ConfigError(msg) from error
    return Allowed.of(allow.values, allow.domains, allow.fields)


def own_detectors(config: MaskingConfig) -> Iterator[Detector]:
    """Make the detectors of the configuration; raises ConfigError for the first thing that is wrong with one."""
    for number, own in enumerate(config.detectors):
        place = f"masking.detectors[{number}]"
        for key, problem in _problems(own):
            msg = f"{place}.{key}: {problem}"
            raise ConfigError(msg)
        detector = _made(own)
        for key, problem in _example_problems(own, detector):
            msg = f"{place}.{key}: {problem}"
            raise ConfigError(msg)
        yield detector


def _problems(own: DetectorConfig) -> Iterator[tuple[str, str]]:
    if not _NAME.fullmatch(own.name):
        yield "name", f"{own.name!r}: expected capitals, digits and _, such as EMPLOYEE_ID"
    yield from (("pattern", problem) for problem in _pattern_problems(own.pattern))
    if own.validator and own.validator not in VALIDATORS:
        yield "validator", f"{own.validator!r} is none; there are {', '.join(sorted(VALIDATORS))}"
    for number, word in enumerate(own.context):
        if not word.strip() or len(word) > CONTEXT:
            yield f"context[{number}]", f"expected a word of at most {CONTEXT} characters"
    if not own.hits:
        yield "hits", "expected at least one text in which it finds something"


def _pattern_problems(pattern: str) -> Iterator[str]:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        what = error.args[0] if error.args else ""
        yield f"not RE2 syntax: {what.decode() if isinstance(what, bytes) else what}"
        return
    if compiled.fullmatch("") is not None:
        yield "matches where there is nothing"
        return
    ways = 1
    for repeats in _repeats(pattern):
        if repeats is None:
            yield "repeats without a bound, or repeats a group that repeats; write how often, such as {1,40}"
            return
        ways *= repeats
    if ways > MOST_WAYS:
        yield f"could match in {ways} ways from one place, more than {MOST_WAYS}; make it more definite"


def _repeats(pattern: str) -> Iterator[int | None]:
    """Give in how many ways each repeated part can match; None for one without a bound."""
    groups: list[tuple[bool, int]] = [(False, 1)]  # whether something repeats in it, and its alternatives
    last: tuple[bool, int] = (False, 1)
    for match in _TOKEN.finditer(pattern):
        piece = match[0]
        if piece[0] == "(":
            groups.append((False, 1))
        elif piece == ")" and len(groups) > 1:
            last = groups.pop()
        elif piece == "|":
            groups[-1] = (groups[-1][0], groups[-1][1] + 1)
        elif piece in {"*", "+"} or piece.endswith(",}"):
            yield None
        elif piece == "?" or (piece[0] == "{" and piece[-1] == "}"):
            least, most = _bounds(piece)
            varies = least != most
            if last[0] and most > 1:
                yield None
            yield (most - least + 1) * last[1] ** (most if last[1] > 1 else 0)
            groups[-1] = (groups[-1][0] or varies, groups[-1][1])
        else:
            last = (False, 1)


def _bounds(piece: str) -> tuple[int, int]:
    if piece == "?":
        return 0, 1
    least, _, most = piece[1:-1].partition(",")
    return int(least), int(most or least)


def _made(own: DetectorConfig) -> Detector:
    pattern = _ascii(own.pattern)
    insensitive = pattern.startswith("(?i)")
    body = f"(?i:{pattern.removeprefix('(?i)')})" if insensitive else f"(?:{pattern})"
    gate = pattern if pattern.isascii() else r"(?s)."
    return Detector(
        entity=own.name,
        form="of the configuration",
        pattern=rf"{_EDGE_BEFORE}{body}{_EDGE_AFTER}",
        gate=gate,
        validate=VALIDATORS[own.validator] if own.validator else None,
        validator=own.validator,
        context="|".join(re.escape(word.strip().lower()).replace(r"\ ", "[ _-]?") for word in own.context),
        priority=_PRIORITY,
        cost=MOST_WAYS,
        spaced=True,
        letters=True,
    )


def _ascii(pattern: str) -> str:
    """Write classes out as RE2 means them: ASCII."""
    return "".join(_written_out(match[0]) for match in _TOKEN.finditer(pattern))


def _written_out(piece: str) -> str:
    if piece[0] == "[":
        return re.sub(r"\\(.)", lambda escape: _CLASSES.get(escape[1], escape[0]), piece, flags=re.DOTALL)
    if piece[0] == "\\" and piece[1:] in _CLASSES:
        return f"[{_CLASSES[piece[1:]]}]"
    if piece[0] == "\\" and piece[1:].lower() in _CLASSES:
        return f"[^{_CLASSES[piece[1:].lower()]}]"
    return piece


def _example_problems(own: DetectorConfig, detector: Detector) -> Iterator[tuple[str, str]]:
    scanner = Scanner((detector,))
    for number, text in enumerate(own.hits):
        if not _finds(scanner, text):
            yield f"hits[{number}]", f"it finds nothing in {text!r}"
    for number, text in enumerate(own.misses):
        if _finds(scanner, text):
            yield f"misses[{number}]", f"it finds something in {text!r}"


def _finds(scanner: Scanner, text: str) -> bool:
    return bool(scanner.scan(fold(text).text, 0, 0, Work(_EXAMPLE_WORK), final=True).spans)
