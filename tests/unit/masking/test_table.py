import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.config import MaskingConfig
from gatekeeper.exchange import Message
from gatekeeper.masking import Masker, find_spans
from gatekeeper.masking.channel import Channel, Found
from gatekeeper.masking.scanner import Work, default_scanner
from gatekeeper.masking.strand import Reading, find
from gatekeeper.masking.table import Table, may_hold_table

WORK = 1 << 40
ROWS = [(str(number), "Bob " + "Smith " * number, str(536904399 + number)) for number in range(12)]
VALUES = [ssn for _, _, ssn in ROWS]


def table(mark: str, end: str = "\n") -> str:
    return end.join(mark.join(row) for row in [("id", "name", "ssn"), *ROWS])


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_spans(text)]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", ", "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_name_of_a_column_speaks_for_each_of_its_cells(mark: str, end: str) -> None:
    assert found(table(mark, end)) == VALUES


def test_a_table_may_be_markdown() -> None:
    lines = [f"| {' | '.join(row)} |" for row in [("id", "name", "ssn"), ("---", ":--", "--:"), *ROWS]]

    assert found("\n".join(["What I have:", "", *lines, "", "That is all."])) == VALUES


def test_a_name_speaks_for_its_own_column_only() -> None:
    text = "ssn,order,passport\n" + "536904399,384209198,384209199\n" * 3

    assert [(span.entity, text[span.start : span.end]) for span in find_spans(text)] == [
        ("US_SSN", "536904399"),
        ("US_PASSPORT", "384209199"),
    ] * 3


def test_a_cell_that_says_so_names_the_next() -> None:
    text = "| SSN | none |\n| US passport number | 563446955 |\n| order | 563446955 |\n| date of birth | 1980-02-03 |"

    assert [(span.entity, text[span.start : span.end]) for span in find_spans(text)] == [
        ("US_PASSPORT", "563446955"),
        ("DATE_OF_BIRTH", "1980-02-03"),
    ]


@pytest.mark.parametrize("blanks", [3, 55, 56, 57, 63, 64, 65, 70])
def test_a_cell_that_comes_in_pieces_is_the_same(blanks: int) -> None:
    begun = "id | ssn | x\n1 | a | b\ny | passport"
    pieces = [begun, f"{' ' * blanks}| 563446955 y"]
    table, together = Table(), Table()
    streamed = []
    for piece in pieces:
        streamed.append(table.view(piece).text)
        table.go_on(piece)

    assert "".join(streamed) == together.view("".join(pieces)).text


def test_a_cell_in_quotes_may_hold_a_mark() -> None:
    assert found('name,ssn,seen\n"Smith, Bob",536904399,384209199') == ["536904399"]


@pytest.mark.parametrize("quoted", ['"id","name","ssn"\n"1","Bob","536904399"', r'"id,name,ssn\n1,Bob,536904399"'])
def test_a_table_may_begin_as_json_does(quoted: str) -> None:
    channel = Channel(default_scanner())
    streamed = [piece for char in quoted for piece in channel.push(char, Work(WORK), final=False)]
    streamed += channel.push("", Work(WORK), final=True)

    assert found(quoted) == ["536904399"]
    assert [piece.source for piece in streamed if isinstance(piece, Found)] == ["536904399"]


@pytest.mark.parametrize(
    "after", ["\n\n536904399,1,536904399", "\n1,2,3,4\n536904399,1,536904399", "\nThat is all.\n536904399,1,536904399"]
)
def test_a_table_ends_where_its_rows_do(after: str) -> None:
    far = "\n1," + "x" * 80 + ",2"

    assert found("id,ssn,name" + far + after) == []


def test_lines_that_name_nothing_are_no_table() -> None:
    assert found("order,name,total\n" + "536904399,Bob,384209199\n" * 3) == []


def test_a_table_within_json_is_read_as_well() -> None:
    body = json.dumps({"messages": [{"content": table(",")}]}).encode()
    answer = Message(status=200, headers=(("content-type", "application/json"),), body=body)
    masked = Masker(MaskingConfig(), b"a key for tests").inspect(answer).to_client().body.decode()

    assert not any(value in masked for value in VALUES)
    assert json.loads(masked)["messages"][0]["content"].count("<US_SSN>") == len(VALUES)


cells = st.sampled_from(
    (
        "1",
        "Bob",
        "536904399",
        "1980-02-03",
        "5 lipca 1937",
        "A1234567",
        "415 555 0132",
        "",
        '"Doe, J"',
        '"5',
        "４１５ 555 0132",
        "¼",
    )
)
names = st.sampled_from(("id", "ssn", "Date of birth", "passport", "phone", "driverLicense", "", "notes"))


@st.composite
def tables(draw: st.DrawFn) -> str:
    mark, width = draw(st.sampled_from(("\t", "|", ";", ",", " , "))), draw(st.integers(2, 4))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width + 1), max_size=4))
    head = draw(st.lists(names, min_size=width, max_size=width))
    return "\n".join(mark.join(row) for row in (head, *rows))


@given(tables(), st.lists(st.integers(0, 200), max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_table_is_the_same_however_it_comes(text: str, places: list[int]) -> None:
    whole = [(one.start, one.end, one.entity) for one in find(default_scanner(), text, Work(WORK))]
    channel = Channel(default_scanner())
    cuts = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    pieces = [
        piece
        for number, (start, end) in enumerate(pairwise(cuts))
        for piece in channel.push(text[start:end], Work(WORK), final=number == len(cuts) - 2)
    ]

    assert [(one.start, one.end, one.entity) for one in pieces if isinstance(one, Found)] == whole
    assert "".join(one.source if isinstance(one, Found) else one for one in pieces) == text


@given(tables(), st.sampled_from("\t|;,"))
@settings(max_examples=200, deadline=None)
def test_what_may_hold_a_table_is_known_soon(text: str, mark: str) -> None:
    table_so_far = Table()
    table_so_far.go_on(text + "\n")

    assert may_hold_table(text + "\n") or table_so_far.view(f"x{mark}\n").text == f"x{mark}\n"


def test_names_do_not_make_much_of_little() -> None:
    bomb = "ssn" + ",date of birth" * 60 + "\n" + ("," * 60 + "\n") * 2000 + "536904399"

    assert len(Reading(default_scanner(), bomb).text) < 8 * len(bomb)
