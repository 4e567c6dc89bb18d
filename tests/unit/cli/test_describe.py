"""What an entry says in a line: complete, and unable to fool who reads it."""

import msgspec
import pytest
from journals import request, response

from gatekeeper.cli.describe import sentence, stated, subject_sentence, verdict_sentence
from gatekeeper.cli.facts import entry_lines
from gatekeeper.cli.replay.timeline import step_lines
from gatekeeper.exchange import Digest, Instant, Seq
from gatekeeper.journal import (
    AbandonData,
    AdminData,
    AdminEvent,
    ChunkData,
    CloseData,
    ConfigData,
    Data,
    DecisionData,
    DenyData,
    Entry,
    EraseData,
    ErrorData,
    ExpireData,
    GrantData,
    HoldData,
    MessageData,
    OpenData,
    ReadData,
    RefusedData,
    ReleaseData,
    RequirementData,
    RevokeData,
    SealData,
    SubjectData,
    TruncatedData,
    VerdictData,
    WithdrawData,
)
from gatekeeper.journal.leaf import KINDS
from gatekeeper.replay import Step, StepKind

EVIL = "a\x1b[31m\u202eb\nc"
SHOWN = "a‹U+001B›[31m‹U+202E›b‹U+000A›c"
D = Digest(EVIL)

HOSTILE: list[Data] = [
    OpenData(version=EVIL, config=EVIL, vkey=EVIL, signers=EVIL),
    RefusedData(reason=EVIL, subject=EVIL, peer=EVIL, target=EVIL, count=3),
    msgspec.structs.replace(
        request(1).data,
        method=EVIL,
        url=EVIL,
        headers=((EVIL, EVIL),),
        gen_ai={"gen_ai.request.model": EVIL},
        findings={EVIL: 1},
        verdict=VerdictData(EVIL, EVIL, (EVIL,)),
        subject=SubjectData(EVIL, EVIL, (EVIL,), EVIL, EVIL),
        uninspected=EVIL,
    ),
    HoldData(
        approval=EVIL,
        of=EVIL,
        rule=EVIL,
        require=(RequirementData((EVIL,), 1),),
        excluded=(EVIL,),
        expires=0,
        digest=D,
    ),
    DecisionData(approval=EVIL, reviewer=EVIL, statement=EVIL, signature=EVIL),
    ReleaseData(digest=D, approval=EVIL, decisions=(Seq(1),)),
    DenyData(approval=EVIL, digest=D, decisions=(Seq(1),)),
    ExpireData(approval=EVIL, digest=D),
    AbandonData(approval=EVIL, digest=D),
    ChunkData(n=1),
    msgspec.structs.replace(response(1).data, by=EVIL, findings={EVIL: 1}, reason=EVIL, headers=((EVIL, EVIL),)),
    ErrorData(reason=EVIL, upstream=None, side=EVIL),
    TruncatedData(reason=EVIL, upstream=None, side=EVIL),
    CloseData(),
    ConfigData(config=EVIL, signers=EVIL, by=EVIL),
    AdminData(event=AdminEvent.LOCK, by=EVIL, detail={EVIL: EVIL}),
    WithdrawData(approval=EVIL, by=EVIL, why=EVIL),
    GrantData(
        subject=(EVIL, EVIL), rule=EVIL, until=0, uses=1, tool=EVIL, reviewer=EVIL, statement=EVIL, signature=EVIL
    ),
    RevokeData(grant=Seq(1), reviewer=EVIL, statement=EVIL, signature=EVIL),
    MessageData(direction=EVIL, form=EVIL, findings={EVIL: 1}),
    EraseData(session=EVIL, keys=(EVIL,), by=EVIL, why=EVIL),
    ReadData(by=EVIL, range=EVIL, command=EVIL),
    SealData(vkey=EVIL),
]


def entry(data: Data) -> Entry:
    return Entry(seq=Seq(1), time=Instant(0), kind=data.kind, exchange=None, session=None, data=data, leaf_hash=b"")


def test_all_types_of_entry_are_in_these_tests() -> None:
    assert {type(data) for data in HOSTILE} == set(KINDS.values())


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: data.kind)
def test_nothing_recorded_gets_through_unseen(data: Data) -> None:
    step = Step(kind=StepKind(data.kind), at=0, call=1, beside=(), entry=entry(data))
    verdict = [msgspec.structs.replace(step, kind=StepKind.VERDICT)] if data.kind == "request" else []
    lines = [sentence(data), *entry_lines(entry(data), None, "full", damaged=False)]
    lines += [line for one in [step, *verdict] for line in step_lines(one, "full")]
    text = "\n".join(lines)
    assert "a\x1b" not in text
    assert "\u202e" not in text
    assert "\n" not in sentence(data)
    assert SHOWN.partition("‹U+000A›")[0] in text or data.kind in {"chunk", "close"}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            RefusedData(reason="bad-token", subject=None, peer="10.0.0.1", target=None, count=1),
            "bad-token, from 10.0.0.1",
        ),
        (
            RefusedData(reason="bad-token", subject="x", peer="", target="h:1", count=2),
            "bad-token, from several, claimed to be x, to h:1, 2 times",
        ),
        (ChunkData(n=0), "chunk 0, empty"),
        (
            DecisionData(approval="a", reviewer="r", statement="{}", signature=""),
            "a: a statement that can't be read by r",
        ),
        (ReleaseData(digest=D, approval="a", decisions=(Seq(1), Seq(2))), "a: by the decisions in entries 1, 2"),
        (ReleaseData(digest=D, grant=Seq(7)), "by the grant in entry 7"),
        (ExpireData(approval="a", digest=D), "a: nobody decided in time"),
        (SealData(), "the segment ends here"),
    ],
)
def test_sentences(data: Data, text: str) -> None:
    assert sentence(data) == text


def test_verdicts_and_subjects() -> None:
    assert verdict_sentence(VerdictData("deny", None, ("no rule matches",))) == "deny: no rule matches"
    assert verdict_sentence(VerdictData("allow", "r", ())) == "allow by rule 'r'"
    assert subject_sentence(SubjectData("i", "s", ("a", "b"), "w", "")) == "s of i, groups a, b, workflow w"
    assert subject_sentence(SubjectData("i", "s", (), None, "")) == "s of i"


def test_a_statement_that_is_none_is_said_to_be_so() -> None:
    data = DecisionData(approval="a", reviewer="r", statement="nonsense", signature="")
    assert stated(data) == "a statement that can't be read"
