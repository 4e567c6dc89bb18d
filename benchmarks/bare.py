"""A Master with nothing but what serving needs: what mitmproxy itself costs, without its default addons and ours."""

import asyncio
import sys
from pathlib import Path

from mitmproxy import options
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.master import Master
from mitmproxy.utils import asyncio_utils


async def serve(port: int, folder: Path, upstream_ca: Path) -> None:
    """Serve until the process is ended."""
    master = Master(options.Options(confdir=str(folder)))
    proxyserver = Proxyserver()
    master.addons.add(proxyserver, NextLayer(), TlsConfig())
    master.options.update(
        listen_host="127.0.0.1",
        listen_port=port,
        connection_strategy="lazy",
        ssl_verify_upstream_trusted_ca=str(upstream_ca),
    )
    with asyncio_utils.set_eager_task_factory():
        await proxyserver.setup_servers()
        await master.running()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
