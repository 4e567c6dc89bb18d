"""mitmproxy's options as the chain needs them, in production and in the stock tools alike."""

from gatekeeper.config import Config


def proxy_options(config: Config) -> dict[str, object]:
    """Give the options to set.

    Lazy, because an eager connection goes upstream before the verdict; no raw TCP and no WebSocket
    injection, because nothing could inspect them; no sniffing of the upstream's certificate.
    """
    return {
        "connection_strategy": "lazy",
        "rawtcp": False,
        "upstream_cert": False,
        "validate_inbound_headers": True,
        "ssl_insecure": False,
        "body_size_limit": str(int(config.proxy.body_limit)),
        "stream_large_bodies": None,
        "http3": False,
        "websocket": True,
    }
