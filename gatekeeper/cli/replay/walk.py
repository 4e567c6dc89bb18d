"""A replay to walk in: the timeline above, below it what the step under the cursor shows. Read only."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, override

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Footer, Input, Static

from gatekeeper.cli.replay.timeline import COLOURS, step_head, step_lines, step_text
from gatekeeper.replay import StepKind

if TYPE_CHECKING:
    from gatekeeper.replay import Step

DECISIVE: Final = frozenset({StepKind.HOLD, StepKind.DENY, StepKind.EXPIRE})


def walk(heading: Mapping[str, str], steps: "Sequence[Step]", *, verified: bool) -> None:
    """Open the timeline, and return once it is left. `heading` may bear ANSI colours."""
    Walk(heading, steps, verified=verified).run()


class Walk(App[None]):
    """Timeline and detail."""

    CSS = """
    #heading { height: auto; max-height: 6; padding: 0 1; border-bottom: solid $success; }
    #heading.unverified { border-bottom: solid $error; }
    #timeline { height: 2fr; }
    #detail { height: 3fr; border-top: solid $primary; padding: 0 1; }
    #search { display: none; dock: bottom; height: 3; }
    #search.open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("n", "next_match", "Next match"),
        Binding("h", "next_hold", "Next hold"),
        Binding("c", "same_call", "Next of call"),
        Binding("tab", "focus_next", "Timeline/detail", show=False),
        Binding("escape", "leave_search", show=False),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, heading: Mapping[str, str], steps: "Sequence[Step]", *, verified: bool) -> None:
        super().__init__()
        self._heading, self._steps, self._verified = heading, steps, verified
        self._wanted = ""

    @override
    def compose(self) -> ComposeResult:
        lines = [Text.assemble((f"{name:<9}", "dim"), Text.from_ansi(value)) for name, value in self._heading.items()]
        yield Static(Text("\n").join(lines), id="heading", classes="" if self._verified else "unverified")
        yield DataTable(id="timeline", cursor_type="row", show_header=False, zebra_stripes=False)
        with VerticalScroll(id="detail"):
            yield Static(id="shown")
        yield Input(placeholder="text in a step; Enter finds it, Esc leaves", id="search")
        yield Footer()

    def on_mount(self) -> None:
        """Fill the timeline."""
        table = self._table()
        table.add_columns("when", "what")
        for step in self._steps:
            style = COLOURS.get(step.kind) or ""
            table.add_row(Text(step_head(step), style="dim"), Text(step_text(step), style=style))
        table.focus()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the step under the cursor, whole."""
        if 0 <= event.cursor_row < len(self._steps):
            text = Text("\n").join(Text.from_ansi(line) for line in step_lines(self._steps[event.cursor_row], "full"))
            self.query_one("#shown", Static).update(text)
            self.query_one("#detail", VerticalScroll).scroll_home(animate=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Find what was typed, and go on with `n`."""
        self._wanted = event.value.lower()
        self.action_leave_search()
        self.action_next_match()

    def action_search(self) -> None:
        """Ask for a text."""
        field = self.query_one("#search", Input)
        field.add_class("open")
        field.focus()

    def action_leave_search(self) -> None:
        """Close the field."""
        self.query_one("#search", Input).remove_class("open")
        self._table().focus()

    def action_next_match(self) -> None:
        """Go to the next step that has the text, in its line or in what it shows."""
        if self._wanted:
            self._go(lambda step: any(self._wanted in line.lower() for line in step_lines(step, "full")))

    def action_next_hold(self) -> None:
        """Go to the next hold, or what ended one badly."""
        self._go(lambda step: step.kind in DECISIVE)

    def action_same_call(self) -> None:
        """Go to the next step of the call under the cursor."""
        call = self._steps[self._table().cursor_row].call
        self._go(lambda step: step.call == call != 0)

    def _go(self, wanted: "Callable[[Step], bool]") -> None:
        table = self._table()
        at = table.cursor_row
        order = [*range(at + 1, len(self._steps)), *range(at + 1)]
        found = next((row for row in order if wanted(self._steps[row])), None)
        if found is None:
            self.notify("no other step is so", timeout=2)
        else:
            table.move_cursor(row=found)

    def _table(self) -> "DataTable[Text]":
        return self.query_one("#timeline", DataTable)
