"""metagan motifs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metagan_cli.cli.console import Console
from metagan_cli.cli.options import OUTPUT, AsJson, Device, Overwrite, Quiet, Verbose, text_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from metagan_cli.workflows.motifs import Found

EXAMPLE = "metagan motifs animal --kind icon -o animals.png"


def motifs(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD", help="What it is called or has to do with.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", metavar="NAME", help="Just icon, symbol, letter or digit.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="A sheet of their drawings.", rich_help_panel=OUTPUT)
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """List or search the motifs that ship: things, signs, letters and digits in plain drawings."""
    from metagan_cli.workflows.motifs import motifs as workflow

    text = " ".join(words or [])
    found = workflow(text, kind, out, overwrite)
    values: dict[str, Any] = {
        "kinds": found.counts,
        "motifs": [
            {
                "name": motif.name,
                "kind": motif.kind,
                "words": list(motif.words),
                "drawings": [{"style": d.style, "source": d.source, "licence": d.licence} for d in motif.drawings],
            }
            for motif in found.motifs
        ],
        "out": text_of(found.sheet),
    }
    rows = _rows(found) if text or kind else _summary(found)
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, (24, 7, 0), strict=True)).rstrip() for row in rows]
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    console.result("motifs", values, lines, lambda: _table(rows))
    if found.sheet is not None:
        console.note(f"wrote {found.sheet}")


def _rows(found: "Found") -> list[tuple[str, str, str]]:
    """Name, kind and words of each motif."""
    return [(motif.name, motif.kind, ", ".join(motif.words)) for motif in found.motifs]


def _summary(found: "Found") -> list[tuple[str, str, str]]:
    """Each kind, how many there are, and the commonest."""
    names = {kind: [motif.name for motif in found.motifs if motif.kind == kind] for kind in found.counts}
    return [
        (kind, str(count), " ".join(names[kind]) + (" ..." if count > len(names[kind]) else ""))
        for kind, count in found.counts.items()
    ]


def _table(rows: list[tuple[str, str, str]]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for style in ("bold", "", "dim"):
        table.add_column(style=style, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
