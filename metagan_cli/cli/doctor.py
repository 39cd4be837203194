"""metagan doctor."""

from typing import TYPE_CHECKING

import typer

from metagan_cli.cli.console import Console
from metagan_cli.cli.options import AsJson, Device, Overwrite, Quiet, Verbose
from metagan_cli.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import RenderableType

    from metagan_cli.workflows.doctor import Check

EXAMPLE = "metagan doctor"


def doctor(
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Check the installation, the devices and the models, offline."""
    from metagan_cli.workflows.doctor import doctor as workflow

    checks = workflow(device)
    values = {"checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks], "ok": all(c.ok for c in checks)}
    lines = [f"{'ok  ' if c.ok else 'FAIL'} {c.name:<10} {c.detail}" for c in checks]
    Console(as_json=as_json).result("doctor", values, lines, lambda: _shown(checks))
    raise typer.Exit(int(ExitCode.OK if values["ok"] else ExitCode.FAILED))


def _shown(checks: "list[Check]") -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for check in checks:
        mark = Text("ok", style="green") if check.ok else Text("FAIL", style="bold red")
        table.add_row(mark, Text(check.name, style="bold"), Text(check.detail))
    return table
