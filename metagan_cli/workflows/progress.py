"""How a workflow says how far it is."""

from collections.abc import Callable

Report = Callable[[str, int, int], None]  # what is done, how much of it, and of how much


def silent(what: str, done: int, total: int) -> None:
    """Says nothing."""
