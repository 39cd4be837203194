"""motifs: what the bank holds, and sheets of it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from metagan_cli.errors import UsageError
from metagan_cli.store.motifs import KINDS, Motif, bank

SIDE, ROW = 64, 20  # pixels of a drawing, and drawings in a row of a sheet
COMMONEST = 30  # motifs of a kind that stand for all


@dataclass(frozen=True)
class Found:
    """How many motifs of each kind there are, those that were found, and the sheet of them."""

    counts: dict[str, int]
    motifs: tuple[Motif, ...]
    sheet: Path | None


def motifs(words: str = "", kind: str | None = None, out: Path | None = None, overwrite: bool = False) -> Found:
    """The motifs that words find and that are of a kind; where neither is given the commonest of each kind.

    Raises UsageError where there is no such kind or nothing is found, OutputError where the sheet cannot be written.
    """
    if kind not in (None, *KINDS):
        raise UsageError(f"--kind {kind}: one of {', '.join(KINDS)}")
    if out is not None:
        from metagan_cli.store.pictures import ENDINGS, check_target

        check_target(out, ENDINGS, overwrite)
    all_motifs = bank().motifs
    counts = Counter(motif.kind for motif in all_motifs)
    if words or kind:
        found = tuple(motif for motif in (bank().find(words) if words else all_motifs) if kind in (None, motif.kind))
    else:
        found = tuple(motif for kind in KINDS for motif in [m for m in all_motifs if m.kind == kind][:COMMONEST])
    if not found:
        raise UsageError(f"motifs {words}: none is called that or has to do with it; metagan motifs tells what there is")
    if out is not None:
        _write_sheet(out, found)
    return Found({kind: counts[kind] for kind in KINDS}, found, out)


def _write_sheet(path: Path, found: tuple[Motif, ...]) -> None:
    """Draws all drawings of some motifs, dark on light, an outline and the solid one beside it, or the only one twice."""
    import torch

    from metagan_cli.images.drawings import draw_svg
    from metagan_cli.images.sheets import picture, tile, to_bytes
    from metagan_cli.store.pictures import write_picture

    bodies = [motif.drawings[min(place, len(motif.drawings) - 1)].body for motif in found for place in (0, 1)]
    images = torch.stack([draw_svg(body, SIDE) for body in bodies])
    cells = to_bytes(images, light_on_dark=False)
    write_picture(path, picture(tile(cells, min(ROW, len(cells)))), {"command": "motifs"})
