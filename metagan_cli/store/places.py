"""Where the files are that come with metagan."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
FOLDERS = (_PACKAGE / "pretrained", _PACKAGE.parent / "pretrained")  # as installed, and in a checkout


def is_shipped(path: Path) -> bool:
    """Whether a file is one of those, and so found again by its name alone."""
    return path.resolve().parent in FOLDERS


def shipped_file(name: str) -> Path | None:
    """The file of that name among those that ship, where it is there."""
    return next((folder / name for folder in FOLDERS if (folder / name).is_file()), None)
