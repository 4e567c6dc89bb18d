from collections.abc import Callable

import msgspec
import pytest
from journals import SESSION, chunk, error, exchange_id, refused, request, response

from gatekeeper.exchange import Digest, Reason, Seq, SessionId
from gatekeeper.journal import (
    AbandonData,
    Data,
    DenyData,
    Draft,
    ExpireData,
    HoldData,
    MessageData,
    ReleaseData,
    RequirementData,
    TruncatedData,
)
from gatekeeper.journal.draft import encode_draft
from gatekeeper.journal.exchanges import ENDED, STEPS, Exchanges, GrammarError, State, Step

DIGEST = Digest("d" * 64)


def of(data: Data) -> Draft:
    return Draft(data=data, exchange=exchange_id(1), session=SESSION)


def held_request() -> Draft:
    draft = request(1, "hold")
    return msgspec.structs.replace(draft, data=msgspec.structs.replace(draft.data, digest=DIGEST))


def hold(**changes: object) -> Draft:
    data = HoldData(
        approval="apr-1",
        of="request",
        rule="r",
        require=(RequirementData(("alice",), 1),),
        excluded=None,
        expires=10,
        digest=DIGEST,
    )
    return of(msgspec.structs.replace(data, **changes))


RELEASE = of(ReleaseData(digest=DIGEST, approval="apr-1", decisions=()))
BY_GRANT = of(ReleaseData(digest=DIGEST, grant=Seq(3)))
DENY = of(DenyData(digest=DIGEST, approval="apr-1", decisions=()))
EXPIRE = of(ExpireData(digest=DIGEST, approval="apr-1"))
ABANDON = of(AbandonData(digest=DIGEST, approval="apr-1"))
TRUNCATED = of(TruncatedData(reason="x", upstream=None, side="gateway"))


def message(form: str, direction: str = "up") -> Draft:
    return of(MessageData(direction=direction, form=form, findings={}))


def upgrade() -> Draft:
    return msgspec.structs.replace(replaced(response(1), status=101), content=None)


def replaced(draft: Draft, **changes: object) -> Draft:
    return msgspec.structs.replace(draft, data=msgspec.structs.replace(draft.data, **changes))


HOLD_ANSWER = hold(of="response")

# What brings an exchange into each state, and what each step is: all pairs are tried.
WAYS: dict[State, list[Draft]] = {
    State.ALLOWED: [request(1)],
    State.DENIED: [request(1, "deny")],
    State.TO_BE_HELD: [held_request()],
    State.HELD: [held_request(), hold()],
    State.RELEASED: [held_request(), hold(), RELEASE],
    State.ANSWER_OURS: [held_request(), hold(), DENY],
    State.STREAMING: [request(1), chunk(1, 0)],
    State.ANSWER_HELD: [request(1), HOLD_ANSWER],
    State.ANSWER_RELEASED: [request(1), HOLD_ANSWER, RELEASE],
    State.TALKING: [request(1), upgrade()],
}
DRAFTS: dict[Step, Callable[[int], list[Draft]]] = {
    Step.HOLD: lambda _: [hold()],
    Step.HOLD_ANSWER: lambda _: [HOLD_ANSWER],
    Step.RELEASE: lambda _: [RELEASE],
    Step.RELEASE_BY_GRANT: lambda _: [BY_GRANT],
    Step.REFUSE: lambda _: [DENY, EXPIRE, ABANDON],
    Step.CHUNK: lambda chunks: [chunk(1, chunks)],
    Step.ANSWER: lambda chunks: [response(1, chunks=chunks or None)],
    Step.OWN_ANSWER: lambda chunks: [response(1, by="gateway", chunks=chunks or None)],
    Step.UPGRADE: lambda _: [upgrade()],
    Step.MESSAGE: lambda _: [message("text"), message("binary", "down")],
    Step.CLOSE_MESSAGE: lambda _: [message("close")],
    Step.BREAK: lambda _: [error(1), TRUNCATED],
}


def feed(exchanges: Exchanges, *drafts: Draft) -> None:
    for draft in drafts:
        exchanges.feed(draft.exchange, draft.session, draft.data, bodied=encode_draft(draft).bodied)


def brought_to(state: State) -> Exchanges:
    exchanges = Exchanges()
    feed(exchanges, *WAYS[state])
    assert exchanges.get(exchange_id(1)).state is state
    return exchanges


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_an_exchange_takes_the_steps_of_the_table_and_no_other(state: State, step: Step) -> None:
    for draft in DRAFTS[step](1 if state is State.STREAMING else 0):
        exchanges = brought_to(state)
        if (state, step) not in STEPS:
            with pytest.raises(GrammarError):
                feed(exchanges, draft)
            assert exchanges.get(exchange_id(1)).state is state
            continue
        feed(exchanges, draft)
        after = STEPS[state, step]
        assert (after is ENDED) == (not exchanges.open)
        assert after is ENDED or exchanges.get(exchange_id(1)).state is after


def test_no_upstream_speaks_before_a_release_or_after_a_refusal() -> None:
    for state in (State.DENIED, State.TO_BE_HELD, State.HELD, State.ANSWER_HELD, State.ANSWER_OURS):
        assert STEPS.keys().isdisjoint({(state, step) for step in (Step.ANSWER, Step.CHUNK, Step.UPGRADE)})


HELD = [held_request(), hold()]


@pytest.mark.parametrize(
    ("before", "bad", "says"),
    [
        ([], response(1), "no open exchange"),
        ([], msgspec.structs.replace(response(1), exchange=None), "no open exchange"),
        ([], msgspec.structs.replace(request(1), session=None), "lacks"),
        ([], msgspec.structs.replace(request(1), exchange=None), "lacks"),
        ([], request(1, "perhaps"), "none"),
        ([], request(1, "hold"), "digest"),
        ([], replaced(request(1), digest=DIGEST), "digest"),
        ([], msgspec.structs.replace(refused(), session=SESSION), "carries"),
        ([], msgspec.structs.replace(refused(), exchange=exchange_id(1)), "carries"),
        ([request(1)], request(1), "open already"),
        ([request(1)], msgspec.structs.replace(response(1), session=SessionId("0" * 32)), "another session"),
        ([request(1)], replaced(response(1), by="nobody"), "nobody"),
        ([request(1)], chunk(1, 1), "out of order"),
        ([request(1), chunk(1, 0)], chunk(1, 0), "out of order"),
        ([request(1), chunk(1, 0)], response(1), "other chunks"),
        ([request(1), chunk(1, 0)], response(1, chunks=2), "other chunks"),
        ([request(1)], response(1, chunks=1), "other chunks"),
        (
            [request(1), chunk(1, 0)],
            msgspec.structs.replace(response(1, chunks=1), content=response(1).content),
            "a body after chunks",
        ),
        ([held_request()], hold(of="message"), "does not know"),
        ([held_request()], hold(rule="other"), "another rule"),
        ([request(1), upgrade()], message("ping"), "no direction or no kind"),
        ([request(1), upgrade()], message("text", "sideways"), "no direction or no kind"),
        (HELD, of(ReleaseData(digest=DIGEST)), "neither"),
        (HELD, replaced(RELEASE, grant=Seq(1)), "by decisions and by a grant"),
        (HELD, replaced(BY_GRANT, digest=Digest("e" * 64)), "another digest"),
        ([request(1), HOLD_ANSWER], replaced(RELEASE, approval="apr-2"), "another approval"),
        ([request(1), HOLD_ANSWER], replaced(RELEASE, digest=Digest("e" * 64)), "another digest"),
        ([held_request()], hold(require=()), "asks nobody"),
        ([held_request()], hold(require=(RequirementData(("alice",), 0),)), "asks nobody"),
        ([held_request()], hold(digest=Digest("e" * 64)), "another digest"),
        (HELD, replaced(RELEASE, approval="apr-2"), "another approval"),
        (HELD, replaced(RELEASE, digest=Digest("e" * 64)), "another digest"),
        (HELD, replaced(DENY, approval="apr-2"), "another approval"),
        (HELD, replaced(EXPIRE, digest=Digest("e" * 64)), "another digest"),
        (HELD, replaced(ABANDON, approval="apr-2"), "another approval"),
    ],
)
def test_what_does_not_agree_with_its_exchange_is_refused(before: list[Draft], bad: Draft, says: str) -> None:
    exchanges = Exchanges()
    feed(exchanges, *before)
    with pytest.raises(GrammarError, match=says):
        feed(exchanges, bad)


def test_what_is_left_open_is_truncated_in_order_of_the_requests() -> None:
    exchanges = Exchanges()
    feed(exchanges, request(3), request(1), request(2), chunk(1, 0), response(3))
    drafts = exchanges.truncations()
    assert [draft.exchange for draft in drafts] == [exchange_id(1), exchange_id(2)]
    first = drafts[0].data
    assert isinstance(first, TruncatedData)
    assert (first.reason, first.side, first.chunks) == (Reason.GATEWAY_STOPPED.value, "gateway", 1)
    feed(exchanges, *drafts)
    assert not exchanges.open
