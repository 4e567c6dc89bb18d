"""The corpus: texts with values in known places, and texts without; from a seed, one part held out."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec
import negatives
import templates
from values import Values

_SLOT: Final = re.compile(r"\{\{([A-Z_]+)\}\}")
STEERING_SEED: Final = 1
HELD_OUT_SEED: Final = 2

type Place = tuple[int, int, str]


class Text(msgspec.Struct, frozen=True):
    """A text, and where which entity is in it."""

    text: str
    places: tuple[Place, ...]


def positives(*, held_out: bool, each: int = 30) -> Iterator[Text]:
    """Give each template filled so many times."""
    source = Values(HELD_OUT_SEED if held_out else STEERING_SEED)
    for template in templates.HELD_OUT if held_out else templates.STEERING:
        for _ in range(each):
            yield filled(template, source)


def clean(*, held_out: bool, count: int = 1000) -> Iterator[str]:
    """Give so many texts without any value."""
    things = negatives.Things(HELD_OUT_SEED if held_out else STEERING_SEED)
    table = negatives.HELD_OUT if held_out else negatives.STEERING
    return (things.fill(table[number % len(table)]) for number in range(count))


def filled(template: str, source: Values) -> Text:
    """Put values into a template."""
    pieces: list[str] = []
    places: list[Place] = []
    size = at = 0
    for slot in _SLOT.finditer(template):
        value = source.make(slot[1])
        before = template[at : slot.start()]
        size += len(before)
        places.append((size, size + len(value), slot[1]))
        size += len(value)
        pieces += (before, value)
        at = slot.end()
    return Text("".join((*pieces, template[at:])), tuple(places))
