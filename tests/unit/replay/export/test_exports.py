"""Exports, read by those who read them."""

import csv
import io
import json
import subprocess
from pathlib import Path

import pytest
from journals import SESSION
from mitmproxy.io import FlowReader
from mitmproxy.io.har import request_to_flow

from gatekeeper.replay import Call
from gatekeeper.replay.export import csv_lines, curl_lines, har_pieces, json_lines, otlp_pieces
from gatekeeper.replay.export.cells import BOM, neutral
from gatekeeper.replay.flows import write_flows


def test_another_program_reads_the_archive(told: list[Call]) -> None:
    log = json.loads("".join(har_pieces(told, "1")))["log"]
    flows = [request_to_flow(entry) for entry in log["entries"][:3]]
    assert log["version"] == "1.2"
    assert [flow.response.status_code for flow in flows if flow.response] == [200, 200, 403]
    assert flows[0].request.content == b'{"q":"hello"}'
    assert log["entries"][3]["response"]["status"] == 0


def test_mitmproxy_opens_the_flows(told: list[Call], tmp_path: Path) -> None:
    with (tmp_path / "calls.mitm").open("wb") as file:
        write_flows(told, file)
    with (tmp_path / "calls.mitm").open("rb") as file:
        flows = list(FlowReader(file).stream())
    assert [flow.comment.split(";")[0] for flow in flows] == [
        "entry 1: allowed by rule 'r'", "entry 3: released by rule 'refunds'", "entry 5: denied",
        "entry 12: broken by rule 'r'",
    ]  # fmt: skip


def test_a_line_of_json_and_a_row_stand_for_each_call(told: list[Call]) -> None:
    lines = [json.loads(line) for line in json_lines(told)]
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines(told)))))
    assert [line["outcome"] for line in lines] == [row["outcome"] for row in rows]
    assert lines[0]["answer_body"]["text"] == "data: {}\n\n" * 2
    assert rows[0]["findings_request"] == "CREDIT_CARD=1"


def test_a_shell_takes_the_commands(told: list[Call], tmp_path: Path) -> None:
    script = tmp_path / "calls.sh"
    script.write_text("".join(curl_lines(told)))
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    curl = tmp_path / "curl"
    curl.write_text('#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done\n')
    curl.chmod(0o755)
    told_words = subprocess.run(
        ["sh", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=True
    )
    assert told_words.stdout.decode().count('{"q":"hello"}') == 4


def test_spans_have_the_ids_that_opentelemetry_wants(told: list[Call]) -> None:
    (resource,) = json.loads("".join(otlp_pieces(told, "1")))["resourceSpans"]
    spans = resource["scopeSpans"][0]["spans"]
    assert {len(span["traceId"]) for span in spans} == {32}
    assert {len(span["spanId"]) for span in spans} == {16}
    assert spans[0]["traceId"] == SESSION
    assert [event["name"] for event in spans[1]["events"]] == [
        "gatekeeper.hold", "gatekeeper.decision", "gatekeeper.release",
    ]  # fmt: skip


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\u00a0=1", "＝1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_neutralised(cell: str) -> None:
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", "4711", "https://x", "<EMAIL_ADDRESS>"])
def test_what_it_would_not_run_stays(cell: str) -> None:
    assert neutral(cell) == cell
    assert not cell.startswith(BOM)
