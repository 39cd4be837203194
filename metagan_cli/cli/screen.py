"""What a person at a terminal sees, by Rich: bars, facts, styled complaints. Imported only where there is one."""

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

FIGURES = 31  # columns that a bar with its numbers needs at least
STYLES = {"warning": "bold yellow", "error": "bold red"}


class Screen(Console):
    """A terminal whose cursor is never hidden: a command that is killed leaves it as it was."""

    def show_cursor(self, show: bool = True) -> bool:
        """Leaves the cursor alone."""
        return False


class Rate(ProgressColumn):
    """So many a second."""

    def render(self, task: Task) -> Text:
        """The speed over the last steps, where there is one."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.3g}/s", style="progress.data.speed")


class _Lines(Progress):
    """The bars, and a line of figures below where there are any."""

    figures = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars' table and the figures."""
        yield self.make_tasks_table(self.tasks)
        if self.figures:
            yield Text(self.figures, style="dim", no_wrap=True, overflow="ellipsis")


class Bars:
    """Bars of the works in progress, which go when all is done."""

    def __init__(self) -> None:
        self._works: dict[str, TaskID] = {}
        self._lines = _Lines(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(compact=True),
            console=Screen(stderr=True),
            transient=True,
            expand=True,
            refresh_per_second=5,
        )
        self._lines.start()

    def set(self, what: str, done: int, total: int, figures: str = "") -> None:
        """Moves the bar of a work, which replaces the one before it."""
        if what not in self._works:
            for task in self._works.values():
                self._lines.remove_task(task)
            room = max(8, self._lines.console.width - FIGURES)
            self._works = {what: self._lines.add_task(what if len(what) <= room else f"{what[: room - 1]}…", total=total)}
        self._lines.figures = figures
        self._lines.update(self._works[what], completed=done, total=total)

    def stop(self) -> None:
        """Takes the bars off the screen."""
        self._lines.stop()


def show(content: RenderableType) -> None:
    """Prints a result."""
    Screen(highlight=False).print(content)


def facts(pairs: Sequence[tuple[str, str]]) -> Table:
    """Labels, and beside each what is said of it, wrapped below itself."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in pairs:
        table.add_row(Text(label), Text(text))
    return table


def complain(start: str, text: str, kind: str) -> None:
    """A warning or an error, its start in colour, on one line that the terminal may wrap."""
    screen = Screen(stderr=True, highlight=False)
    screen.print(Text.assemble((start, STYLES[kind]), " ", text), soft_wrap=True)
