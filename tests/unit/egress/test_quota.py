from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.egress.quota import Quota


def test_a_subject_has_its_places_and_no_more() -> None:
    quota = Quota()
    assert quota.take("iss", "bot", "a", 2)
    assert quota.take("iss", "bot", "b", 2)
    assert not quota.take("iss", "bot", "c", 2)
    assert quota.take("iss", "other", "c", 2)


def test_who_has_a_place_keeps_it_and_who_leaves_frees_it() -> None:
    quota = Quota()
    assert quota.take("iss", "bot", "a", 1)
    assert quota.take("iss", "bot", "a", 1)
    quota.leave("a")
    quota.leave("a")
    assert quota.take("iss", "bot", "b", 1)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ab"), st.sampled_from("123456"))))
def test_no_subject_ever_has_more_than_its_limit(steps: list[tuple[bool, str, str]]) -> None:
    quota, held = Quota(), {}
    for comes, sub, holder in steps:
        if not comes:
            quota.leave(holder)
            held.pop(holder, None)
        elif quota.take("iss", sub, holder, 2):
            held.setdefault(holder, sub)
        else:
            assert list(held.values()).count(sub) == 2
        assert all(list(held.values()).count(sub) <= 2 for sub in "ab")
