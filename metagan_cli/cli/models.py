"""metagan models."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from metagan_cli.cli.console import Console
from metagan_cli.cli.options import AsJson, Device, Overwrite, Quiet, Verbose

if TYPE_CHECKING:
    from rich.console import RenderableType

EXAMPLE = "metagan models glyph"


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Just this one.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """List the shipped models with their cards: data, licences, figures, and what they cannot do."""
    from metagan_cli.workflows.models import models as workflow

    found = workflow(name)
    values = [{key: value for key, value in model.items() if key != "about"} for model in found]
    lines = [f"{m['name']:<10} {m['size']} px, {_draws(m)}: {m['about']}\n\n{m['text']}" for m in found]
    lines = lines or ["no models are shipped with this installation"]
    Console(as_json=as_json).result("models", {"models": values}, lines, (lambda: _shown(found)) if found else None)


def _draws(model: dict[str, Any]) -> str:
    return "gray" if model["channels"] == 1 else "colour"


def _shown(found: list[dict[str, Any]]) -> "RenderableType":
    """A table of the models, and their cards below."""
    from rich.console import Group
    from rich.markdown import Markdown
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("model", "draws", "at", "file"):
        table.add_column(head, overflow="fold")
    for model in found:
        table.add_row(model["name"], _draws(model), f"{model['size']} px", model["path"])
    return Group(table, *(Markdown(f"\n---\n{model['text']}") for model in found))
