"""Two recordings side by side."""

from pathlib import Path

from journals import SESSION, request, response, write_journal
from recorded import OTHER_SESSION, changed, denied, in_session

from gatekeeper.journal import Draft, Reader
from gatekeeper.replay import Call, calls, entries_of_session, find_session, in_order, sessions
from gatekeeper.replay.diff import Relation, compare


def recorded(folder: Path, a: list[Draft], b: list[Draft]) -> tuple[list[Call], list[Call]]:
    write_journal(folder, [*a, *(in_session(draft, OTHER_SESSION) for draft in b)])
    with Reader(folder / "journal", folder / "keys") as reader:
        found = sessions(reader)

        def of(session: str) -> list[Call]:
            return list(in_order(calls(reader, entries_of_session(reader, find_session(found, session)))))

        return of(SESSION), of(OTHER_SESSION)


def test_a_session_is_the_same_as_itself_whatever_its_ids(tmp_path: Path) -> None:
    a, b = recorded(tmp_path, [request(1), response(1)], [request(2), response(2)])
    assert [row.relation for row in compare(a, b)] == [Relation.SAME]


def test_what_changed_and_what_only_one_has_is_told(tmp_path: Path) -> None:
    other = request(4, body=b'{"q":"bye"}')
    elsewhere = request(6)
    elsewhere = changed(elsewhere, url="https://api.example.com/v2/other")
    a = [request(1), response(1), request(2), response(2)]
    b = [request(3), response(3), other, response(4), elsewhere, response(6)]
    rows = list(compare(*recorded(tmp_path, a, b)))
    assert [row.relation for row in rows] == [Relation.SAME, Relation.CHANGED, Relation.ONLY_B]
    assert rows[1].differences == ("body.q: 'bye' where 'hello' was recorded",)


def test_another_verdict_and_another_end_are_differences(tmp_path: Path) -> None:
    (row,) = compare(*recorded(tmp_path, [request(1), response(1)], denied(2)))
    assert row.relation is Relation.CHANGED
    assert row.differences == (
        "verdict: deny by None where allow by 'r' was recorded",
        "end: 403 by the gateway where 200 by the upstream was recorded",
    )
