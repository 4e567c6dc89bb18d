"""The population: every call, from its request to its end, and what was found in it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import UNSET

from gatekeeper.evidence.exceptions import Exceptions, Kind
from gatekeeper.evidence.samples import Sampler, Stratum, strata_of
from gatekeeper.evidence.sheets import Sheets
from gatekeeper.exchange import ExchangeId, Instant, Seq
from gatekeeper.journal import (
    Entry,
    ErrorData,
    HoldData,
    RefusedData,
    ReleaseData,
    RequestData,
    ResponseData,
    TruncatedData,
)
from gatekeeper.journal.gen_ai import MODEL, USED
from gatekeeper.replay.export.rows import findings_text
from gatekeeper.replay.export.values import iso_time
from gatekeeper.replay.outcome import Outcome, outcome_of

ENDS: Final = (ResponseData, ErrorData, TruncatedData)


class TrafficFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of calls. `outcomes` are by `Outcome`; `findings` by entity, requests and answers apart."""

    calls: int
    outcomes: dict[str, int]
    uninspected: int
    open_at_end: int
    findings_requests: dict[str, int]
    findings_answers: dict[str, int]
    calls_with_findings: int
    by_host: dict[str, int]
    by_model: dict[str, int]
    tokens: dict[str, int]


@dataclass(slots=True)
class _Call:
    entry: Entry
    data: RequestData
    seqs: list[Seq]
    approval: str = ""
    held: bool = False
    released: bool = False


@dataclass(slots=True)
class Traffic:
    """Follows exchanges; holds in memory those that are open, and of the sampled ones their entries' numbers.

    Requests at `stop` (µs) or later are not of the period; entries after it only end what began in it.
    """

    sheets: Sheets
    exceptions: Exceptions
    sampler: Sampler
    stop: Instant
    members: dict[Seq, list[Seq]] = field(default_factory=dict)
    _open: dict[ExchangeId, _Call] = field(default_factory=dict)
    _outcomes: Counter[str] = field(default_factory=Counter)
    _requests: Counter[str] = field(default_factory=Counter)
    _answers: Counter[str] = field(default_factory=Counter)
    _calls_by_entity: Counter[str] = field(default_factory=Counter)
    _hosts: Counter[str] = field(default_factory=Counter)
    _models: Counter[str] = field(default_factory=Counter)
    _tokens: Counter[str] = field(default_factory=Counter)
    _uninspected: int = 0
    _with_findings: int = 0

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        if isinstance(entry.data, RefusedData) and entry.time < self.stop:
            self._sample(Stratum.REFUSALS, entry, [entry.seq])
        if entry.exchange is None:
            return
        if isinstance(entry.data, RequestData):
            if entry.time < self.stop:
                self._open[entry.exchange] = _Call(entry, entry.data, [entry.seq])
        elif (call := self._open.get(entry.exchange)) is not None:
            call.seqs.append(entry.seq)
            match entry.data:
                case HoldData() as hold:
                    call.held, call.approval, call.released = True, hold.approval, False
                case ReleaseData():
                    call.held = call.released = True
                case ResponseData() | ErrorData() | TruncatedData():
                    del self._open[entry.exchange]
                    self._end(call, entry)
                case _:
                    pass

    def finish(self) -> TrafficFigures:
        """Write what is still open, and sum up."""
        open_at_end = len(self._open)
        for call in self._open.values():
            self._end(call, None)
        self._open.clear()
        for entity in sorted({*self._requests, *self._answers}):
            counts = self._requests[entity], self._answers[entity], self._calls_by_entity[entity]
            self.sheets.write("masking", (entity, *map(str, counts)))
        return TrafficFigures(
            calls=self._outcomes.total(),
            outcomes=dict(sorted(self._outcomes.items())),
            uninspected=self._uninspected,
            open_at_end=open_at_end,
            findings_requests=dict(sorted(self._requests.items())),
            findings_answers=dict(sorted(self._answers.items())),
            calls_with_findings=self._with_findings,
            by_host=dict(self._hosts.most_common()),
            by_model=dict(self._models.most_common()),
            tokens=dict(sorted(self._tokens.items())),
        )

    def _end(self, call: _Call, end: Entry | None) -> None:
        data, answer = call.data, end.data if end is not None else None
        response = answer if isinstance(answer, ResponseData) else None
        outcome = outcome_of(call.data.verdict.action, answer, held=call.held, released=call.released)
        found = response.findings if response is not None else {}
        self._count(data, response, found)
        self._outcomes[outcome.value] += 1
        uninspected = self._uninspected_of(call, response)
        if isinstance(answer, TruncatedData):
            self.exceptions.add(
                Kind.TRUNCATED, end, f"the gateway stopped in the middle of call {call.entry.seq}", data.subject.sub
            )
        model = data.gen_ai.get(MODEL, "")
        self.sheets.write("population", (
            str(call.entry.seq), str(end.seq) if end is not None else "", iso_time(call.entry.time),
            call.entry.exchange or "", call.entry.session or "", data.subject.iss, data.subject.sub,
            data.subject.workflow or "", data.method, data.url, f"{data.target.host}:{data.target.port}", data.dialect,
            model if isinstance(model, str) else "", data.verdict.action, data.verdict.rule or "", outcome.value,
            str(response.status) if response is not None else "", response.by if response is not None else "",
            findings_text(data.findings), findings_text(found), uninspected, call.approval,
            str(end.time - call.entry.time) if end is not None else "",
        ))  # fmt: skip
        if outcome is Outcome.DENIED:
            reason = response.reason if response is not None and response.reason is not UNSET else ""
            cells = (reason, data.verdict.rule or "", data.subject.sub, "", data.method, data.url, "1")
            self.sheets.write("denials", (str(call.entry.seq), iso_time(call.entry.time), "denied", *cells))
        stratum = strata_of(
            held=call.held, denied=outcome is Outcome.DENIED, findings=(*data.findings.values(), *found.values())
        )
        self._sample(stratum, call.entry, call.seqs)

    def _count(self, data: RequestData, response: ResponseData | None, found: dict[str, int]) -> None:
        self._requests.update(data.findings)
        self._answers.update(found)
        self._calls_by_entity.update({*data.findings, *found})
        self._with_findings += bool(data.findings or found)
        self._hosts[f"{data.target.host}:{data.target.port}"] += 1
        model = data.gen_ai.get(MODEL)
        if isinstance(model, str):
            self._models[model] += 1
        for name in USED:
            used = response.gen_ai.get(name) if response is not None else None
            self._tokens[name] += used if isinstance(used, int) else 0

    def _uninspected_of(self, call: _Call, response: ResponseData | None) -> str:
        told = [call.data.uninspected, response.uninspected if response is not None else UNSET]
        reasons = [reason for reason in told if reason is not UNSET]
        if reasons:
            self._uninspected += 1
            passed = response is not None and response.by == "upstream"
            if passed:
                what = f"a body passed that could not be inspected: {'; '.join(reasons)}"
                self.exceptions.add(Kind.UNINSPECTED, call.entry, what, call.data.subject.sub)
        return "; ".join(reasons)

    def _sample(self, stratum: Stratum, entry: Entry, seqs: list[Seq]) -> None:
        taken, dropped = self.sampler.offer(stratum, entry.seq)
        if taken:
            self.members[entry.seq] = seqs
        if dropped is not None:
            del self.members[dropped]
