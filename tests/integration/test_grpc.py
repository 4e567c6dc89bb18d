"""A real gRPC client and server, with the gateway between: bodies that can't be looked into, status in trailers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from harness import Authority, RunningGateway

from gatekeeper.journal import Reader

ORDERS = """
[[rules]]
name = "no secrets"
hosts = ["localhost"]
paths = ["/shop.Secrets/*"]
action = "deny"
[[rules]]
name = "orders"
hosts = ["localhost"]
paths = ["/shop.Orders/*"]
uninspected = "allow"
action = "allow"
"""
ASKED = b"\x12\x03abc"


class Shop(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers, with messages that nobody needs a schema for, and counts."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def service(self, details: Any) -> Any:
        self.called.append(details.method)
        match details.method.rpartition("/")[2]:
            case "Get":
                return grpc.unary_unary_rpc_method_handler(lambda message, _: b"\x0a\x05hello" + message)
            case "List":
                return grpc.unary_stream_rpc_method_handler(lambda _, __: (b"\x0a\x01%d" % n for n in range(3)))
            case "Lose":
                return grpc.unary_unary_rpc_method_handler(
                    lambda _, context: context.abort(grpc.StatusCode.NOT_FOUND, "no order of 4111 1111 1111 1111")
                )
        return None


@pytest.fixture
def shop(authority: Authority) -> Iterator[tuple[Shop, int]]:
    authority.server_context("localhost")  # which leaves key and certificate beside the CA's
    pem = (authority.folder / "localhost.pem").read_bytes()
    handler = Shop()
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, pem)]))
    server.start()
    yield handler, port
    server.stop(None).wait()


@pytest.fixture
def channel(
    shop: tuple[Shop, int], start_gateway: Callable[..., RunningGateway]
) -> Iterator[tuple[grpc.Channel, RunningGateway]]:
    gateway = start_gateway(ORDERS, port=shop[1])
    root = (gateway.config.proxy.certs / "ca.pem").read_bytes()
    proxy = f"http://workload:{gateway.token()}@127.0.0.1:{gateway.port}"
    options = [("grpc.http_proxy", proxy), ("grpc.enable_retries", 0)]
    with grpc.secure_channel(f"localhost:{shop[1]}", grpc.ssl_channel_credentials(root), options) as opened:
        yield opened, gateway


def test_calls_of_one_answer_and_of_several(
    shop: tuple[Shop, int], channel: tuple[grpc.Channel, RunningGateway]
) -> None:
    opened, gateway = channel
    assert opened.unary_unary("/shop.Orders/Get")(ASKED, timeout=20) == b"\x0a\x05hello" + ASKED
    assert [*opened.unary_stream("/shop.Orders/List")(ASKED, timeout=20)] == [b"\x0a\x010", b"\x0a\x011", b"\x0a\x012"]
    assert shop[0].called == ["/shop.Orders/Get", "/shop.Orders/List"]
    with Reader(gateway.config.journal.folder, None) as reader:
        asked = [entry.data for entry in reader.entries(0, reader.size) if entry.kind == "request"]
    assert [(one.method, one.url.partition("/shop")[2], one.uninspected is not None) for one in asked] == [
        ("POST", ".Orders/Get", True),
        ("POST", ".Orders/List", True),
    ]


def test_the_status_comes_in_trailers_masked(channel: tuple[grpc.Channel, RunningGateway]) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        channel[0].unary_unary("/shop.Orders/Lose")(ASKED, timeout=20)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert raised.value.details() == "no order of <CREDIT_CARD>"


def test_what_a_rule_denies_never_reaches_the_server(
    shop: tuple[Shop, int], channel: tuple[grpc.Channel, RunningGateway]
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        channel[0].unary_unary("/shop.Secrets/Get")(ASKED, timeout=20)
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert shop[0].called == []
