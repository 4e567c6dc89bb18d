"""`gatekeeper approvals watch`: what waits for reviewers, live, on the whole screen; decide without leaving it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, override

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from gatekeeper.cli.admin_client import AdminClient, SaidNo
from gatekeeper.cli.deciding import Choice, refuse_sensitive, signer_for, statement_for, told
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.reviewing import call_lines, call_of, facts, history
from gatekeeper.cli.times import MICROSECONDS
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.approvals import ApprovalDetail, ApprovalView

AGAIN: Final = 1.0
"""Seconds after which the queue is looked at again."""

URGENT: Final = 300 * 1_000_000
"""µs before its end in which an approval stands above the others."""

SHOWN: Final = (
    "rule", "because", "subject", "workflow", "found", "reviewers", "owners", "decisions", "waiting", "expires",
)  # fmt: skip
"""The facts that the detail pane has above the call."""


type Group = list[ApprovalView]
"""Approvals of one subject and rule whose calls look the same."""


def in_order(views: "tuple[ApprovalView, ...]", now: int, rule: str = "", person: str = "") -> "list[Group]":
    """Give what waits in groups that look the same: those about to run out first, then the oldest."""

    def may_decide(view: "ApprovalView") -> bool:
        asked = any(person in need.reviewers for need in view.require) or person in view.break_glass
        return not person or (asked and person not in (view.excluded or ()))

    groups: dict[str, list[ApprovalView]] = {}
    for view in views:
        if view.state == "pending" and rule in {"", view.rule} and may_decide(view):
            groups.setdefault(view.group, []).append(view)

    def urgency(group: "list[ApprovalView]") -> tuple[bool, int]:
        ends = min(view.expires for view in group)
        urgent = ends - now < URGENT
        return (not urgent, ends if urgent else min(view.created for view in group))

    return sorted(groups.values(), key=urgency)


class Reason(ModalScreen[str | None]):
    """Asks why, and is the last question before the signature."""

    CSS = """
    Reason { align: center middle; }
    Reason > VerticalScroll {
        width: 90%; max-width: 76; height: auto; max-height: 80%; border: round $accent; padding: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Back")]

    def __init__(self, said: list[str], reason: str) -> None:
        super().__init__()
        self._said = said
        self._reason = reason

    @override
    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Text("\n".join(self._said)))
            yield Input(self._reason, placeholder="reason, recorded. Enter signs, Esc goes back", id="reason")

    def on_mount(self) -> None:
        """Begin in the field."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the reason."""
        self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Sign nothing."""
        self.dismiss(None)


class Watch(App[None]):
    """The queue above, what is chosen below, the keys at the bottom."""

    TITLE = "gatekeeper approvals"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: 1; background: $panel; color: $text; }
    #queue { height: 30%; min-height: 4; border: none; text-wrap: nowrap; text-overflow: ellipsis; }
    #detail { border-top: solid $accent; height: 1fr; }
    #said { height: auto; min-height: 1; max-height: 3; width: 1fr; color: $warning; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "decide('approve')", "Approve"),
        Binding("d", "decide('deny')", "Deny"),
        Binding("s", "skip", "Skip"),
        Binding("r", "rule", "Rule"),
        Binding("g", "person", "Mine"),
        Binding("u", "unskip", "All"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(
        self,
        client: AdminClient,
        key: Path | None = None,
        reviewer: str | None = None,
        reason: str = "",
        rule: str = "",
        person: str = "",
    ) -> None:
        super().__init__()
        self._client = client
        self._key, self._reviewer, self._reason = key, reviewer, reason
        self._rule, self._person = rule, person
        self._skipped: set[str] = set()
        self._groups: list[list[ApprovalView]] = []
        self._shown: ApprovalDetail | None = None

    @override
    def compose(self) -> ComposeResult:
        yield Label(id="head")
        yield OptionList(id="queue")
        with VerticalScroll(id="detail", can_focus=True):
            yield Static(id="call")
        yield Label(id="said")
        yield Footer()

    def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self.look()
        self.set_interval(AGAIN, self.look)
        self._below.query_one(OptionList).focus()

    def look(self) -> None:
        """Read the queue and show it; what is chosen stays chosen."""
        from gatekeeper.exchange import now

        try:
            views = self._client.approvals()
        except (SaidNo, Problem) as error:
            self._say(error.format_message())
            return
        groups = in_order(views, now(), self._rule, self._person)
        self._groups = [group for group in groups if group[0].group not in self._skipped]
        self._show_queue(len(groups) - len(self._groups))
        self._show_detail()

    def action_skip(self) -> None:
        """Look at it later."""
        if (group := self._chosen()) is not None:
            self._skipped.add(group[0].group)
            self.look()

    def action_unskip(self) -> None:
        """Show everything again: what was skipped, all rules, all reviewers."""
        self._skipped.clear()
        self._rule = self._person = ""
        self.look()

    def action_rule(self) -> None:
        """Show only what this one's rule holds, or all again."""
        group = self._chosen()
        self._rule = "" if self._rule or group is None else group[0].rule
        self.look()

    def action_person(self) -> None:
        """Show only what the reviewer may decide on, or all again."""
        self._person = "" if self._person else self._reviewer or self._key_name()
        self.look()

    @work
    async def action_decide(self, verdict: str) -> None:
        """Ask for the reason, sign, and send; for all that look the same, one question."""
        group = self._chosen()
        if group is None:
            return
        try:
            signer, name = signer_for(self._key, self._reviewer, group[0], Choice(verdict))
        except (SaidNo, Problem) as error:
            self._say(error.format_message())
            return
        said = [f"{verdict} {len(group)} call{'s' if len(group) > 1 else ''}, once each, as {visible(name)}:"]
        said += [f"  {visible(view.id)}  {call_of(view)}" for view in group]
        reason = await self.push_screen_wait(Reason(said, self._reason))
        if reason is None:
            self._say("nothing was signed")
            return
        try:
            refuse_sensitive(reason)
            with self.suspend_where_possible():
                for view in group:
                    self._send(view, name, signer.sign, Choice(verdict, reason))
        except (SaidNo, Problem) as error:
            self._say(error.format_message())
        self.look()

    def _send(self, view: "ApprovalView", name: str, sign: Callable[[bytes], str], choice: Choice) -> None:
        from gatekeeper.journal.statement import statement_bytes

        data = statement_bytes(statement_for(view, name, choice))
        outcome = self._client.decide(view.id, data, sign(data))
        self._say(told(outcome))

    def on_option_list_option_highlighted(self) -> None:
        """Show what is chosen."""
        self._show_detail()

    @property
    def _below(self) -> Screen[object]:
        """The queue's screen, also while a question stands above it."""
        return self.screen_stack[0]

    def _chosen(self) -> "list[ApprovalView] | None":
        place = self._below.query_one(OptionList).highlighted
        return self._groups[place] if place is not None and place < len(self._groups) else None

    def _show_queue(self, hidden: int) -> None:
        queue = self._below.query_one(OptionList)
        place = queue.highlighted
        before = queue.get_option_at_index(place).id if place is not None else None
        queue.clear_options()
        queue.add_options([Option(Text(_line(group)), id=group[0].group) for group in self._groups])
        names = [group[0].group for group in self._groups]
        if self._groups:
            # Where what was chosen is gone, what has moved into its place is next.
            queue.highlighted = names.index(before) if before in names else min(place or 0, len(names) - 1)
        waiting = sum(len(group) for group in self._groups)
        filters = [f"rule {visible(self._rule)}"] if self._rule else []
        filters += [f"for {visible(self._person)}"] if self._person else []
        filters += [f"{hidden} skipped"] if hidden else []
        text = f" {waiting} waiting" if waiting else " Nothing waits for a decision."
        self._below.query_one("#head", Label).update(Text(f"{text}{'   ' if filters else ''}{', '.join(filters)}"))

    def _show_detail(self) -> None:
        group = self._chosen()
        pane = self._below.query_one("#call", Static)
        if group is None:
            self._shown = None
            pane.update("")
            return
        if self._shown is None or self._shown.approval.id != group[0].id:
            try:
                self._shown = self._client.approval(group[0].id)
            except (SaidNo, Problem) as error:
                self._say(error.format_message())
                return
            self._below.query_one("#detail").scroll_home(animate=False)
        known = facts(group[0])
        lines = [f"{name:<10}{known[name]}" for name in SHOWN]
        lines += [f"{'alike':<10}{', '.join(visible(view.id) for view in group)}"] if len(group) > 1 else []
        # What is decided on comes first: 24 lines have no room for all.
        pane.update(Text("\n".join([known["call"], *call_lines(self._shown), "", *lines, "", *history(self._shown)])))

    def _key_name(self) -> str:
        from gatekeeper.cli.signing import from_file

        try:
            return from_file(self._key).comment if self._key is not None else ""
        except Problem:
            return ""

    def _say(self, text: str) -> None:
        self._below.query_one("#said", Label).update(Text(f" {text}"))

    @contextlib.contextmanager
    def suspend_where_possible(self) -> Iterator[None]:
        """Give the terminal to ssh-keygen, which may ask for a passphrase or a touch."""
        if self.is_headless:
            yield
            return
        with self.suspend():
            yield


def _line(group: "list[ApprovalView]") -> str:
    view = group[0]
    many = f"{len(group)}× " if len(group) > 1 else ""
    call = call_of(view).replace("https://", "", 1)  # what is left out says the least
    return f"{_soon(view):>7}  {visible(view.subject)}  {many}{call}"


def _soon(view: "ApprovalView") -> str:
    """Say how long it stays open, as a clock does."""
    from gatekeeper.exchange import now

    minutes, seconds = divmod(max(0, view.expires - now()) // MICROSECONDS, 60)
    return f"{minutes}:{seconds:02}"
