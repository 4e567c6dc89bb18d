"""An answer while it is being read: pieces come in any order and of any type, a summary goes out."""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from gatekeeper.dialects.attributes import LIST_LIMIT, TEXT_LIMIT, Attributes, count, short
from gatekeeper.exchange import AnswerSummary, ToolCall

type Place = tuple[int, int]
"""Choice, and the call's position in it."""

NO_ARGUMENTS: Final = "{}"


def given_json(arguments: msgspec.Raw) -> str:
    """Give a tool's arguments as they stand in the JSON; empty where there are none, or none yet."""
    text = bytes(arguments).decode("utf-8", "replace")
    return "" if text in {"null", NO_ARGUMENTS} else text


@dataclass(slots=True)
class _Call:
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def finished(self) -> ToolCall:
        return ToolCall(self.name[:TEXT_LIMIT], "".join(self.arguments) or NO_ARGUMENTS)


@dataclass(slots=True)
class Assembly:
    """Collects what an answer says. All values are taken as they come and checked here."""

    _id: str = ""
    _model: str = ""
    _ends: dict[int, str] = field(default_factory=dict)
    _usage: Attributes = field(default_factory=dict)
    _calls: list[_Call] = field(default_factory=list)
    _open: dict[Place, _Call] = field(default_factory=dict)

    def name(self, id_: object, model: object) -> None:
        """Note the answer's id and model; what comes first stays."""
        self._id = self._id or short(id_)
        self._model = self._model or short(model)

    def end(self, choice: int, reason: object) -> None:
        """Note why a choice ended."""
        if text := short(reason):
            self._ends[choice] = text

    def use(self, sent: object, received: object, cache_read: object = None, cache_creation: object = None) -> None:
        """Note numbers of tokens; what comes last stays, since streams count up."""
        for attribute, value in (
            ("input_tokens", sent),
            ("output_tokens", received),
            ("cache_read.input_tokens", cache_read),
            ("cache_creation.input_tokens", cache_creation),
        ):
            if (tokens := count(value)) is not None:
                self._usage[f"gen_ai.usage.{attribute}"] = tokens

    def extend(self, place: Place, id_: object, name: object, arguments: object) -> None:
        """Add a piece of a tool call. Names and arguments are joined, as the providers' own clients do.

        Another id at the same place begins another call: some servers number all calls 0.
        """
        identity = short(id_)
        call = self._open.get(place)
        if call is None or (identity and call.id and identity != call.id):
            call = self._open[place] = _Call(identity)
            self._calls.append(call)
        call.id = call.id or identity
        if isinstance(name, str):
            call.name += name
        if isinstance(arguments, str):
            call.arguments.append(arguments)

    def replace(self, place: Place, name: object, arguments: object) -> None:
        """Set a tool call that is now known as a whole."""
        self.extend(place, "", "", "")
        call = self._open[place]
        call.name = name if isinstance(name, str) else call.name
        call.arguments = [arguments] if isinstance(arguments, str) else call.arguments

    @property
    def calls(self) -> int:
        """The number of tool calls so far."""
        return len(self._calls)

    def summary(self) -> AnswerSummary:
        """Give what was read so far."""
        attributes: Attributes = {}
        if self._id:
            attributes["gen_ai.response.id"] = self._id
        if self._model:
            attributes["gen_ai.response.model"] = self._model
        if self._ends:
            attributes["gen_ai.response.finish_reasons"] = [self._ends[n] for n in sorted(self._ends)[:LIST_LIMIT]]
        return AnswerSummary(tool_calls=tuple(call.finished() for call in self._calls), gen_ai=attributes | self._usage)
