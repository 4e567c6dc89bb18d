import hashlib
import json
from typing import Any

import msgspec.inspect as forms
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from journals import request

from gatekeeper.exchange import Instant, Seq, canonical_json
from gatekeeper.journal.leaf import (
    KINDS,
    LEAF_LIMIT,
    Leaf,
    decode_leaf,
    encode_leaf,
    entry_of,
    is_canonical,
    is_plain,
    read_form,
    read_leaf,
)
from gatekeeper.journal.merkle import leaf_hash

DRAFT = request(1)
LEAF = encode_leaf(
    Leaf(
        data=DRAFT.data,
        exchange=DRAFT.exchange or "",
        seq=Seq(7),
        session=DRAFT.session or "",
        time=Instant(1_000),
        type="request",
    )
)


def test_a_leaf_is_the_canonical_json_of_the_page_byte_for_byte() -> None:
    data = {
        "body": None,
        "dialect": "openai",
        "findings": {},
        "gen_ai": {"gen_ai.request.model": "m"},
        "headers": [["content-type", "application/json"]],
        "http": "HTTP/1.1",
        "method": "POST",
        "subject": {"groups": ["a"], "iss": "https://issuer", "sub": "bot", "token": "0" * 64, "workflow": None},
        "target": {"host": "api.example.com", "port": 443},
        "url": "https://api.example.com/v1/chat",
        "verdict": {"action": "allow", "reasons": [], "rule": "r"},
    }
    entry = {
        "data": data,
        "exchange": "0000000000000001",
        "seq": 7,
        "session": "5e" * 16,
        "time": 1000,
        "type": "request",
        "v": 1,
    }
    assert json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() == LEAF


def test_a_leaf_is_read_back() -> None:
    entry = decode_leaf(LEAF)
    assert (entry.seq, entry.time, entry.kind) == (7, 1000, "request")
    assert (entry.exchange, entry.session) == (DRAFT.exchange, DRAFT.session)
    assert entry.data == DRAFT.data
    assert entry.leaf_hash == hashlib.sha256(b"\x00" + LEAF).digest()


def test_further_keys_in_data_are_allowed() -> None:
    assert decode_leaf(LEAF.replace(b'"dialect"', b'"later":1,"dialect"')).data == DRAFT.data


@pytest.mark.parametrize(
    "raw",
    [
        LEAF.replace(b'"v":1', b'"v":2'),
        LEAF.replace(b'"type":"request"', b'"type":"surprise"'),
        LEAF.replace(b'"v":1', b'"v":1,"w":1'),
        LEAF.replace(b'"method":"POST",', b""),
        LEAF.replace(b'"port":443', b'"port":"443"'),
        LEAF.replace(b'"seq":7,', b""),
        LEAF.replace(b'"seq":7', b'"seq":true'),
        LEAF.replace(b'"bot"', b'"\xff"'),
        b"",
        b"[]",
        b"[" * 30_000 + b"]" * 30_000,
        LEAF.replace(b'"findings":{}', b'"findings":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000),
        LEAF.replace(b'"bot"', b'"' + b"x" * LEAF_LIMIT + b'"'),
    ],
)
def test_anything_else_is_no_leaf(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"leaf|entry"):
        decode_leaf(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":9007199254740991,"b":[true,null,-1]}',
        '{"a":"é/\x7f"}'.encode(),
        b'"1234567890123456789012"',
        b'{"a":"\\n\\u0001"}',
    ],
)
def test_canonical_json_is_recognised(raw: bytes) -> None:
    assert is_canonical(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1.5}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":-0}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":[{"b":123456789012345678901234567890}]}',
        '{"é":1}'.encode(),
        '{"a":[{"é":"1234567890123456"}]}'.encode(),
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b'{"a":"\\/"}',
        b'{"a":"\\u000a"}',
        b'{"a":"\\u000A"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":NaN}',
        b"",
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_anything_else_is_not_canonical(raw: bytes) -> None:
    assert not is_canonical(raw)


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), NUMBERS | st.text("é1")))
def test_plain_means_no_floats_no_large_numbers_no_foreign_keys(value: dict[str, object]) -> None:
    expected = all(
        key.isascii() and not isinstance(inner, float) and (not isinstance(inner, int) or abs(inner) < 2**53)
        for key, inner in value.items()
    )
    assert is_plain(canonical_json(value)) == expected


TEXT = st.text(st.characters(codec="ascii"), max_size=4)
ANY_TEXT = TEXT | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


def values(  # noqa: PLR0911 - a table
    kind: forms.Type, text: st.SearchStrategy[str], *, whole: bool
) -> st.SearchStrategy[Any]:
    """Give what a type has as JSON; `whole`: with all that it may have."""
    match kind:
        case forms.StrType():
            return text
        case forms.IntType():
            return st.integers(0 if kind.ge == 0 else 1 - 2**53, 2**53 - 1)
        case forms.NoneType():
            return st.none()
        case forms.EnumType():
            return st.sampled_from([member.value for member in kind.cls])
        case forms.ListType() | forms.VarTupleType():
            return st.lists(values(kind.item_type, text, whole=whole), max_size=2)
        case forms.TupleType():
            return st.tuples(*[values(item, text, whole=whole) for item in kind.item_types])
        case forms.DictType():
            return st.dictionaries(text, values(kind.value_type, text, whole=whole), max_size=3)
        case forms.UnionType():
            return st.one_of([values(one, text, whole=whole) for one in kind.types])
        case forms.StructType():
            fields = {field.encode_name: values(field.type, text, whole=whole) for field in kind.fields}
            missing = {} if whole else {field.encode_name for field in kind.fields if not field.required}
            must = {name: value for name, value in fields.items() if name not in missing}
            return st.fixed_dictionaries(must, optional={name: fields[name] for name in missing})
    raise TypeError(kind)


def leaves(text: st.SearchStrategy[str] = ANY_TEXT, *, whole: bool = False) -> st.SearchStrategy[bytes]:
    """Give canonical leaves of all types."""
    number = st.integers(0, 2**53 - 1)
    ids = {"exchange": TEXT, "session": TEXT}
    return st.sampled_from(sorted(KINDS)).flatmap(
        lambda kind: st.fixed_dictionaries(
            {
                "data": values(forms.type_info(KINDS[kind]), text, whole=whole),
                "seq": number,
                "time": number,
                "type": st.just(kind),
                "v": st.just(1),
            },
            optional=ids,
        ).map(canonical_json)
    )


PIECES = [
    b" ",
    b"\n",
    b"0",
    b"-",
    b".0",
    b"e1",
    b"1" * 16,
    b"\\u0041",
    b"\\/",
    b'"',
    b",",
    b'"a":1,',
    b"\xc3\xa9",
    b"\0",
    b"null",
]


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Give a leaf with something put in, taken out or doubled."""
    raw = draw(leaves())
    at = draw(st.integers(0, len(raw)))
    stop = min(len(raw), at + draw(st.integers(0, 12)))
    return raw[:at] + draw(st.sampled_from([*PIECES, b"", raw[at:stop] * 2])) + raw[stop:]


BEYOND = canonical_json({"grant": 9, "reviewer": "", "signature": "", "statement": ""}).replace(b"9", b"%d" % 2**53)


@settings(max_examples=500)
@given(leaves() | spoilt())
@example(b'{"data":%b,"seq":0,"time":0,"type":"revoke","v":1}' % BEYOND)
def test_what_is_read_by_the_short_way_is_what_the_long_way_reads(raw: bytes) -> None:
    form = read_form(raw)
    if form is not None:
        assert entry_of(form, leaf_hash(raw)) == read_leaf(raw)


@given(leaves(TEXT, whole=True))
def test_the_short_way_reads_what_this_version_writes(raw: bytes) -> None:
    assert read_form(raw) is not None


def test_a_type_is_not_told_by_its_end_alone() -> None:
    assert read_form(LEAF) is not None
    assert read_form(LEAF.replace(b'"type":"request"', b'"type":"a-request"')) is None
