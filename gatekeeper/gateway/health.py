"""How the gateway is, as `/healthz`, `/metrics` and `gatekeeper status` tell it."""

import msgspec

from gatekeeper.journal.anchoring import AnchorState
from gatekeeper.journal.disk import WAL_LARGE


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the gateway is: why the journal can't record (None: it can), and whether the proxy port is open.

    `config` is the digest of the configuration in force, `refused` why the last reload changed nothing; `free` the
    bytes of the journal's disk, `disk_low` whether no new call begins for want of them; `wal` the bytes of its WAL.
    """

    journal: str | None
    listening: bool
    config: str = ""
    refused: str | None = None
    free: int = 0
    disk_low: bool = False
    wal: int = 0
    anchors: tuple[AnchorState, ...] = ()

    @property
    def well(self) -> bool:
        """Whether calls can pass."""
        return self.journal is None and self.listening and not self.disk_low


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """What `/healthz` answers; `held` counts the calls that wait for reviewers."""

    status: str
    journal: str
    listening: bool
    held: int
    disk: str
    wal: str
    config: str
    reload: str
    anchors: dict[str, str]


def view_of(health: Health, held: int) -> HealthView:
    """Say it in words."""
    return HealthView(
        status="ok" if health.well else "failing",
        journal=health.journal or "ok",
        listening=health.listening,
        held=held,
        disk="below journal.min_free: no new call begins" if health.disk_low else "ok",
        wal=f"{health.wal >> 20} MiB: somebody reads in one long transaction" if health.wal >= WAL_LARGE else "ok",
        config=health.config,
        reload="ok" if health.refused is None else f"refused, the old one holds: {health.refused}",
        anchors={state.name: _anchor(state) for state in health.anchors},
    )


def _anchor(state: AnchorState) -> str:
    taken = "nothing yet" if state.size is None else f"{state.size} entries"
    if state.problem is None:
        return f"ok, {taken}"
    return f"failing, {state.problem}; has {taken}, {state.waiting} wait"
