"""metagan inspect."""

from pathlib import Path
from typing import Annotated

import typer

from metagan_cli.cli.console import Console, facts_of
from metagan_cli.cli.options import AsJson, Device, Overwrite, Quiet, Verbose

EXAMPLE = "metagan inspect adapted.safetensors"


def inspect(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A model, a run, a picture or a folder of images.")],
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Say what a file or folder is, without changing anything."""
    from metagan_cli.workflows.inspect import inspect as workflow

    found = workflow(path)
    Console(as_json=as_json).facts("inspect", found, facts_of(found), width=12)
