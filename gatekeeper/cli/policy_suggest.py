"""`gatekeeper policy suggest`: the smallest rules for what a subject really did."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
import msgspec

from gatekeeper.cli.options import Moment, json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.read_entry import record_read
from gatekeeper.cli.reading import reading
from gatekeeper.cli.visible import visible_lines

if TYPE_CHECKING:
    from gatekeeper.exchange import Instant
    from gatekeeper.journal import Entry, Reader, RequestData
    from gatekeeper.policy.suggest import Used


@click.command("suggest")
@click.option("--subject", required=True, metavar="S", help="Whose calls: the token's `sub`.")
@click.option("--issuer", metavar="URL", help="Of this issuer only.  [default: of any]")
@click.option("--from", "start", type=Moment(), metavar="TIME", help="Calls from TIME on.")
@click.option("--to", "stop", type=Moment(), metavar="TIME", help="Calls before TIME.")
@click.option("--denied", is_flag=True, help="Also what was denied: what it would need to do all it tried.")
@json_option
@settings_option
def suggest(
    subject: str,
    issuer: str | None,
    start: "Instant | None",
    stop: "Instant | None",
    *,
    denied: bool,
    as_json: bool,
) -> None:
    """Print rules to paste, the smallest that allow what a subject did. Exit 1: it did nothing.

    Read them before you use them: what was done is not what should be done.
    """
    from gatekeeper.config import RuleConfig
    from gatekeeper.policy.suggest import suggest as suggest_rules
    from gatekeeper.policy.suggest import write_rules

    config = load_settings()
    with reading(config) as reader:
        first = reader.start if start is None else reader.seq_at(start)
        last = reader.size if stop is None else reader.seq_at(stop)
        record_read(config, f"policy suggest --subject {subject}", f"{first}..{last - 1}" if last > first else "")
        try:
            found = suggest_rules(_used(reader, reader.entries(first, last), subject, issuer, denied=denied))
        except ValueError as error:
            raise Problem(str(error)) from error
    if as_json:
        print_json(found)
    elif found:
        for line in visible_lines(write_rules(found, RuleConfig.__struct_fields__).rstrip("\n")):
            click.echo(line)
    else:
        click.echo("no recorded call of that subject was let through", err=True)
    sys.exit(0 if found else 1)


def _used(
    reader: "Reader", entries: "Iterator[Entry]", subject: str, issuer: str | None, *, denied: bool
) -> "Iterator[Used]":
    """Give the subject's calls, each once it has ended: the tools that a model was let call stand in its answer."""
    from gatekeeper.journal import ChunkData, RequestData, ResponseData

    under_way: dict[str, tuple[Used, RequestData, list[bytes]]] = {}
    for entry in entries:
        data, exchange = entry.data, entry.exchange or ""
        if isinstance(data, RequestData) and data.subject.sub == subject and issuer in {None, data.subject.iss}:
            if (data.verdict.action != "deny" or denied) and (used := _read(data)) is not None:
                under_way[exchange] = used, data, []
        elif isinstance(data, ChunkData | ResponseData) and exchange in under_way:
            content = reader.content(entry)
            under_way[exchange][2].append(content.data if content is not None else b"")
            if isinstance(data, ResponseData):
                used, request, pieces = under_way.pop(exchange)
                yield _with_tools(used, request, b"".join(pieces))
    yield from (used for used, _, _ in under_way.values())


def _read(data: "RequestData") -> "Used | None":
    """Read what a call was about; None for one whose path no rule could name today."""
    from gatekeeper.egress import TargetError, normal_path
    from gatekeeper.exchange import Party
    from gatekeeper.policy.suggest import Used

    try:
        path = normal_path(urlsplit(data.url).path or "/")
    except (TargetError, ValueError):
        return None
    model, tool = data.gen_ai.get("gen_ai.request.model"), data.gen_ai.get("gen_ai.tool.name")
    return Used(
        subject=Party(data.subject.iss, data.subject.sub),
        workflow=data.subject.workflow,
        host=data.target.host,
        port=data.target.port,
        method=data.method,
        path=path,
        model=model if isinstance(model, str) else "",
        tools=tuple(tool.split(", ")) if isinstance(tool, str) else (),
    )


def _with_tools(used: "Used", request: "RequestData", answer: bytes) -> "Used":
    from gatekeeper.dialects import read_answer
    from gatekeeper.exchange import DialectName, Message

    called = read_answer(DialectName(request.dialect), Message(status=200, body=answer)).tool_calls
    return msgspec.structs.replace(used, tools=(*used.tools, *(call.name for call in called)))
