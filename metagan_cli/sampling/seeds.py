"""Seeds as text, as --seeds takes them and pictures keep them."""

from collections.abc import Sequence

from metagan_cli.errors import UsageError


def shorten(seeds: Sequence[int]) -> str:
    """Seeds as text, runs as first-last: the form that --seeds takes."""
    parts: list[str] = []
    start = previous = seeds[0]
    for seed in (*seeds[1:], None):
        if seed is None or seed != previous + 1:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
            if seed is not None:
                start = seed
        previous = seed if seed is not None else previous
    return ",".join(parts)


def parse_seeds(text: str) -> list[int]:
    """Seeds from text like 0,4-9. Raises UsageError."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UsageError(f"--seeds {text}: write numbers and runs, as 0,4-9")
        low, high = int(first), int(last) if dash else int(first)
        if high < low:
            raise UsageError(f"--seeds {text}: {part} runs backwards")
        if high >= 2**64:
            raise UsageError(f"--seeds {text}: a seed is below 2^64")
        if high - low >= 10**7 or len(seeds) >= 10**7:
            raise UsageError(f"--seeds {text}: more than ten million seeds")
        seeds.extend(range(low, high + 1))
    return seeds
