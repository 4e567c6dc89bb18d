"""Text from outside, made visible: what could fool a reader or drive a terminal is shown, never interpreted."""

import json
import unicodedata
from typing import Final

# Categories: controls, formats (bidi marks, zero widths, tags), surrogates, private use, unassigned, separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that show nothing: fillers, variation selectors (Unicode's Default_Ignorable_Code_Point).
_EMPTY: Final = frozenset(
    [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10),
     *range(0xE0100, 0xE01F0)]
)  # fmt: skip


def visible(text: str) -> str:
    """Show a line of text with every hidden character as ‹U+XXXX›, line ends included."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def visible_lines(text: str) -> list[str]:
    """Show a text of several lines; only the line feed ends a line."""
    return [visible(line) for line in text.split("\n")]


def visible_body(text: str) -> list[str]:
    """Show a body: JSON laid out, with names given twice, the lexemes of numbers and the order kept; else as it is."""
    try:
        value = json.loads(
            text, object_pairs_hook=_Pairs, parse_int=_Lexeme, parse_float=_Lexeme, parse_constant=_refuse_constant
        )
        return visible_lines(_laid_out(value, ""))
    except (ValueError, RecursionError):
        return visible_lines(text)


class _Pairs(list[tuple[str, object]]):
    """The members of an object, in order."""


class _Lexeme(str):
    """A number as it is written."""

    __slots__ = ()


def _laid_out(value: object, indent: str) -> str:
    inner = f"{indent}  "
    match value:
        case _Pairs() if value:
            members = [f"{inner}{_quoted(name)}: {_laid_out(member, inner)}" for name, member in value]
            return _enclosed("{", members, "}", indent)
        case _Pairs():
            return "{}"
        case list() if value:
            return _enclosed("[", [f"{inner}{_laid_out(item, inner)}" for item in value], "]", indent)
        case _Lexeme():
            return value
        case _:
            return _quoted(value)


def _enclosed(start: str, items: list[str], end: str, indent: str) -> str:
    return "\n".join([start, ",\n".join(items), indent + end])


def _quoted(value: object) -> str:
    # Escaped by JSON where it must be; hidden characters stay for `visible` to show.
    return json.dumps(value, ensure_ascii=False)


def _refuse_constant(name: str) -> object:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def _shown(character: str) -> str:
    hidden = unicodedata.category(character) in _HIDDEN or ord(character) in _EMPTY
    odd_space = character != " " and unicodedata.category(character) == "Zs"
    return f"‹U+{ord(character):04X}›" if hidden or odd_space else character
