"""`gatekeeper env`: the variables of a client, for a shell, Docker or Kubernetes."""

import shlex
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from gatekeeper.cli.environment import USER, client_environment, proxy_url
from gatekeeper.cli.issuer import life, load_issuer
from gatekeeper.cli.options import load_settings, settings_option
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.relay import gateway_address
from gatekeeper.cli.tokens import read_token

if TYPE_CHECKING:
    from gatekeeper.config import Config

MOUNTED: Final = PurePosixPath("/etc/gatekeeper/certs")
"""Where a container finds the certificates."""

TOKEN_FILE: Final = "/var/run/secrets/gatekeeper/token"  # noqa: S105 - a path
SERVICE: Final = "gatekeeper"
"""The gateway's name on a container network; its loopback is not the container's."""

RELAY: Final = ("127.0.0.1", 8081)

SIDECAR: Final = f"""\
# For the application's container. In the same pod a relay adds the current token:
#   gatekeeper relay --listen {{relay}} --gateway {{gateway}}
#     --token-file {TOKEN_FILE}
# and the certificates come from
#   kubectl create configmap gatekeeper-ca --from-file={{certs}}
#   volumes: [{{{{name: gatekeeper-ca, configMap: {{{{name: gatekeeper-ca}}}}}}}}]
"""


@click.command()
@click.option("--format", "form", type=click.Choice(["shell", "docker", "k8s"]), default="shell", show_default=True)
@click.option("--subject", metavar="S", help="Put in a token of the embedded issuer for S.")
@click.option("--token-file", metavar="F", type=click.Path(path_type=Path), help="Put in the token that stands in F.")
@click.option("--proxy", metavar="URL", help="The proxy as the client reaches it.  [default: from proxy.listen]")
@settings_option
def env(form: str, subject: str | None, token_file: Path | None, proxy: str | None) -> None:
    """Print the variables that a client needs.

    For a shell: `eval "$(gatekeeper env)"`, with the first token where no other is named.
    """
    config = load_settings()
    if subject is not None and token_file is not None:
        msg = "--subject and --token-file: say one of them"
        raise click.UsageError(msg)
    if proxy is not None:
        _check_proxy(proxy)
    match form:
        case "shell":
            click.echo(_shell(config, subject, token_file, proxy), nl=False)
        case "docker":
            click.echo(_docker(config, _token(config, subject, token_file), proxy), nl=False)
        case _:
            if subject is not None or token_file is not None:
                msg = (
                    "a token in a pod's manifest would be old within the hour; the relay beside it adds the current one"
                )
                raise click.UsageError(msg)
            click.echo(_kubernetes(config, proxy), nl=False)


def shell_lines(proxy: str, certs: Path, token_file: Path | None) -> str:
    """Give `export` lines; the token is read from its file when the shell reads them, so that none is printed."""
    variables = client_environment(proxy, certs)
    proxies = {name for name, value in variables.items() if value == proxy}
    lines: list[str] = []
    for name, value in variables.items():
        if name in proxies and token_file is not None:
            scheme, _, rest = value.partition("://")
            lines.append(f'export {name}="{scheme}://{USER}:$(cat {shlex.quote(str(token_file))})@{rest}"')
        else:
            lines.append(f"export {name}={shlex.quote(value)}")
    return "".join(f"{line}\n" for line in lines)


def _shell(config: "Config", subject: str | None, token_file: Path | None, proxy: str | None) -> str:
    place = proxy or proxy_url(*gateway_address(config))
    if subject is not None:
        return shell_lines(_with_token(place, _token(config, subject, None)), config.proxy.certs, None)
    first = config.data / "first-token.jwt"
    if token_file is None and proxy is None and first.exists():
        token_file = first
    return shell_lines(place, config.proxy.certs, token_file.absolute() if token_file else None)


def _docker(config: "Config", token: str, proxy: str | None) -> str:
    place = _with_token(proxy or _from_container(config), token)
    variables = client_environment(place, MOUNTED)
    head = f"# docker run --env-file THIS-FILE -v {shlex.quote(f'{config.proxy.certs}:{MOUNTED}:ro')} …\n"
    return head + "".join(f"{name}={value}\n" for name, value in variables.items())


def _kubernetes(config: "Config", proxy: str | None) -> str:
    gateway = urlsplit(_from_container(config)).netloc
    host, port = RELAY
    head = SIDECAR.format(relay=f"{host}:{port}", gateway=gateway, certs=config.proxy.certs)
    variables = client_environment(proxy or proxy_url(host, port), MOUNTED)
    lines = [f'  - {{name: {name}, value: "{value}"}}' for name, value in variables.items()]
    mount = f"  - {{name: gatekeeper-ca, mountPath: {MOUNTED}, readOnly: true}}"
    return head + "\n".join(["env:", *lines, "volumeMounts:", mount]) + "\n"


def _from_container(config: "Config") -> str:
    """Give the gateway's address on a container network: its own where it is one, else its service's name."""
    host, port = gateway_address(config)
    return proxy_url(SERVICE if host in {"127.0.0.1", "::1", "localhost"} else host, port)


def _token(config: "Config", subject: str | None, token_file: Path | None) -> str:
    from gatekeeper.exchange import now

    if token_file is not None:
        return read_token(token_file)
    if subject is None:
        return ""
    issuer, terms = load_issuer(config)
    try:
        return issuer.issue(subject, (), None, life(terms), now())
    except ValueError as error:
        raise Problem(str(error)) from error


def _with_token(proxy: str, token: str) -> str:
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{USER}:{token}@{rest}" if token else proxy


def _check_proxy(proxy: str) -> None:
    parts = urlsplit(proxy)
    if parts.scheme not in {"http", "https"} or not parts.hostname or '"' in proxy or not proxy.isprintable():
        msg = f"--proxy: expected a URL such as http://gatekeeper:8080, got {proxy!r}"
        raise click.UsageError(msg)
