"""Makes the published vectors anew: `python tests/vectors/make.py` from the checkout, with `tests` on the path.

Every type of entry; two segments, with an exchange, an approval and a grant open over the seam, where the key changes;
an erased session, and proofs. Keys and times are new each time, so nobody should need to run it.
"""

import asyncio
import itertools
import shutil
import sys
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from journals import ORIGIN, SESSION, chunk, error, exchange_id, refused, request, response  # noqa: E402
from reviewing import ALICE, BOB, SigningKey, allowed_signers  # noqa: E402

from gatekeeper.exchange import Digest, Instant, SessionId, canonical_json  # noqa: E402
from gatekeeper.journal import (  # noqa: E402
    AbandonData,
    AdminData,
    AdminEvent,
    ConfigData,
    Content,
    Data,
    DecisionData,
    DenyData,
    Draft,
    ExpireData,
    GrantData,
    HoldData,
    Journal,
    MessageData,
    Opening,
    ReadData,
    Reader,
    ReleaseData,
    RequirementData,
    RevokeData,
    VerdictData,
    WithdrawData,
)
from gatekeeper.journal.proofs import (  # noqa: E402
    ConsistencyProof,
    InclusionProof,
    write_consistency,
    write_inclusion,
)
from gatekeeper.journal.statement import Answer, Scope, Statement, statement_bytes  # noqa: E402

BEGINNING = 1_800_000_000_000_000
HOUR = 3_600_000_000
ERASED = SessionId("0e" * 16)
CONFIG = '[journal]\norigin = "test.example/journal"\n'


class Story:
    """A journal with somebody who reviews."""

    def __init__(self, folder: Path) -> None:
        ticks = itertools.count(BEGINNING, 10_000)
        self.keys = {name: SigningKey.make(folder, name) for name in (ALICE, BOB)}
        self.signers = allowed_signers(self.keys)
        opening = Opening(version="vectors", config_text=CONFIG, signers=self.signers)
        self.journal = Journal.open(folder / "journal", folder / "keys", ORIGIN, opening, lambda: Instant(next(ticks)))

    async def put(self, *drafts: Draft) -> None:
        for draft in drafts:
            await self.journal.submit(draft)

    async def held(self, number: int, approval: str, digest: str, of: str = "request", **changes: object) -> str:
        """Hold a request, or an answer; gives the request's leaf hash."""
        draft = request(number, "hold" if of == "request" else "allow")
        data = msgspec.structs.replace(draft.data, verdict=VerdictData("hold" if of == "request" else "allow", "r", ()))
        if of == "request":
            data = msgspec.structs.replace(data, digest=Digest(digest))
        leaf = (await self.journal.submit(msgspec.structs.replace(draft, data=data))).leaf
        await self.put(self.hold(number, approval, digest, of, **changes))
        return leaf

    def hold(self, number: int, approval: str, digest: str, of: str = "request", **changes: object) -> Draft:
        data = HoldData(
            approval=approval,
            of=of,
            rule="r",
            require=(RequirementData((ALICE, BOB), 1),),
            excluded=None,
            expires=BEGINNING + HOUR,
            digest=Digest(digest),
            break_glass=(BOB,),
        )
        return self.of(number, msgspec.structs.replace(data, **changes))

    def of(self, number: int, data: Data, content: Content | None = None) -> Draft:
        return Draft(data=data, exchange=exchange_id(number), session=SESSION, content=content)

    def signed(self, reviewer: str, approval: str, digest: str, leaf: str, **says: object) -> dict[str, str]:
        said = {"scope": Scope.ONCE, "verdict": Answer.APPROVE} | says
        statement = Statement(
            approval=approval, digest=Digest(digest), origin=ORIGIN, reason="looked at", request=leaf,
            reviewer=reviewer, time=Instant(BEGINNING), v=1, **said,
        )  # fmt: skip
        text = statement_bytes(statement)
        return {"reviewer": reviewer, "statement": text.decode(), "signature": self.keys[reviewer].sign(text)}

    async def decide(self, reviewer: str, approval: str, digest: str, leaf: str, **says: object) -> int:
        data = DecisionData(approval=approval, **self.signed(reviewer, approval, digest, leaf, **says))
        return (await self.journal.submit(Draft(data=data))).seq


async def tell(folder: Path) -> None:
    """Write the journal."""
    story = Story(folder)
    one, two, three, four, five = (letter * 64 for letter in "abcde")
    await story.put(refused(), request(1), response(1), request(2), chunk(2, 0), chunk(2, 1), response(2, chunks=2))
    await story.put(request(3), error(3))
    leaf = await story.held(4, "apr-1", one)
    seq = await story.decide(ALICE, "apr-1", one, leaf)
    await story.put(story.of(4, ReleaseData(digest=Digest(one), approval="apr-1", decisions=(seq,))), response(4))
    leaf = await story.held(5, "apr-2", two)
    seq = await story.decide(BOB, "apr-2", two, leaf, verdict=Answer.DENY)
    await story.put(
        story.of(5, DenyData(approval="apr-2", digest=Digest(two), decisions=(seq,))), response(5, "gateway")
    )
    leaf = await story.held(6, "apr-3", three)
    limits = {"until": Instant(BEGINNING + HOUR), "uses": 3, "tool": "issue_refund"}
    grant = GrantData(
        subject=("https://issuer", "bot"), rule="r", **limits,
        **story.signed(ALICE, "apr-3", three, leaf, scope=Scope.GRANT, **limits),
    )  # fmt: skip
    granted = await story.journal.submit(Draft(data=grant))
    await story.put(story.of(6, ReleaseData(digest=Digest(three), grant=granted.seq)), response(6))
    leaf = await story.held(7, "apr-4", four)
    seq = await story.decide(BOB, "apr-4", four, leaf, scope=Scope.BREAK_GLASS)
    await story.put(story.of(7, ReleaseData(digest=Digest(four), approval="apr-4", decisions=(seq,))), response(7))
    await story.held(8, "apr-5", five, "response")
    await story.put(story.of(8, ExpireData(approval="apr-5", digest=Digest(five))), response(8, "gateway"))
    upgrade = msgspec.structs.replace(response(9).data, status=101)
    await story.put(request(9), story.of(9, upgrade))
    said = Content("text/plain", b"hello", ((5, 5),))
    await story.put(
        story.of(9, MessageData(direction="up", form="text", findings={}), said),
        story.of(9, MessageData(direction="down", form="close", findings={})),
    )
    other = [msgspec.structs.replace(draft, session=ERASED) for draft in (request(10), response(10))]
    await story.put(*other)
    text = Content("application/toml", CONFIG.encode())
    await story.put(
        Draft(ConfigData(config="0" * 64, signers=story.signers, by="SIGHUP"), content=text),
        Draft(AdminData(event=AdminEvent.LOCK, by="ops", detail={"subject": "bot"})),
        Draft(ReadData(by="auditor", range="0..9", command="journal list")),
    )
    leaf = await story.held(11, "apr-6", "f" * 64)
    await story.put(request(12))
    await story.journal.seal(rotate=True)
    seq = await story.decide(ALICE, "apr-6", "f" * 64, leaf)
    await story.put(
        story.of(11, ReleaseData(digest=Digest("f" * 64), approval="apr-6", decisions=(seq,))), response(11)
    )
    asked = request(13, "hold")
    data = msgspec.structs.replace(asked.data, digest=Digest(three))
    await story.put(msgspec.structs.replace(asked, data=data))
    await story.put(story.of(13, ReleaseData(digest=Digest(three), grant=granted.seq)), response(13))
    ended = story.signed(ALICE, "apr-3", three, granted.leaf, scope=Scope.GRANT, verdict=Answer.DENY)
    await story.put(Draft(RevokeData(grant=granted.seq, **ended)))
    await story.held(14, "apr-7", "1" * 64)
    await story.put(Draft(WithdrawData(approval="apr-7", by="ops", why="asked twice")))
    await story.put(story.of(14, AbandonData(approval="apr-7", digest=Digest("1" * 64))), response(14, "gateway"))
    await story.journal.erase(ERASED, "ops", "asked for")
    await story.journal.close()  # exchange 12 is truncated


def prove(folder: Path) -> None:
    """Write proofs, and what is carried, in a form that can be read."""
    with Reader(folder / "journal", None) as reader:
        size, note = reader.size, reader.note
        for seq in (0, 5, size - 1):
            leaf = reader.log.store_of(seq).leaf(seq) or b""
            proof = InclusionProof(seq, leaf, reader.inclusion(seq, size), note)
            (folder / f"entry-{seq}.tlog-proof").write_text(write_inclusion(proof), encoding="utf-8")
        old, earlier = next(iter(reader.notes()))
        consistency = ConsistencyProof(old, reader.consistency(old, size), note)
        (folder / f"since-{old}.proof").write_text(write_consistency(consistency), encoding="utf-8")
        (folder / f"checkpoint-{old}").write_text(earlier, encoding="utf-8")
        carried = msgspec.json.decode(reader.log.newest.meta()["carried"])
    (folder / "carried.json").write_bytes(msgspec.json.format(canonical_json(carried), indent=2) + b"\n")


def main() -> None:
    """Make all of it."""
    for name in ("journal", "keys"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    for path in [*HERE.glob("*proof"), *HERE.glob("checkpoint-*"), *HERE.glob("*-at-*")]:
        path.unlink()
    asyncio.run(tell(HERE))
    prove(HERE)
    for path in [*HERE.glob("*-at-*"), *(HERE / "journal").glob("*-shm"), *(HERE / "journal").glob("*-wal")]:
        path.unlink()
    (HERE / "journal" / "edge").unlink()


if __name__ == "__main__":
    main()
