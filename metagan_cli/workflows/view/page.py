"""The page: one file that needs nothing else."""

import base64
import hashlib
from pathlib import Path

from metagan_cli.provenance import provenance_line
from metagan_cli.store.files import write_bytes
from metagan_cli.store.pictures import check_target
from metagan_cli.workflows.view.shown import View

HERE = Path(__file__).parent


def check_page(path: Path, overwrite: bool) -> None:
    """Refuses a page's place before any work: UsageError for its name, OutputError for what stands there."""
    check_target(path, (".html",), overwrite)


def write_page(path: Path, view: View) -> bytes:
    """Writes the page, and gives what is in it. Raises OutputError."""
    content = page(view)
    write_bytes(path, content)
    return content


def page(view: View, each: Path | None = None) -> bytes:
    """The page as HTML in UTF-8; where it is served, with buttons that write what is picked to `each` and end the serving."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    script, style = ((HERE / name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    text = environment.get_template("page.html").render(
        view=view,
        each=each,
        made=provenance_line({"kind": "view", "shows": view.title, "about": view.about, "count": len(view.choices)}),
        copies=_copies(view),
        script=script,
        style=style,
        policy=_policy(script, style),
    )
    return text.encode(errors="backslashreplace")


def _copies(view: View) -> str:
    """What is true about copies, as a sentence."""
    if view.nearest is None:
        return "No example is known to compare them with: whether they are copies cannot be said here."
    compared = len(view.distances)
    are = "is a copy" if view.copies == 1 else "are copies"
    counted = f"{view.copies} of {compared} {are} of an example: nearer to it than slight redraws of it are."
    return f"{counted} Median distance from the nearest example {view.nearest:.3f}; 0 is the same, 1 has nothing in common."


def _policy(script: str, style: str) -> str:
    """What the page may load: nothing but its own pictures, script and style."""
    own = (f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (script, style))
    sources = ("script-src", "style-src")
    return "; ".join(["default-src 'none'; img-src data:; connect-src 'self'", *(map(" ".join, zip(sources, own, strict=True)))])
