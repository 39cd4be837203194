"""Pictures that are painted and written several at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

MOST = 4  # threads
AHEAD = 2 * MOST  # jobs that are begun before the first is asked for
T = TypeVar("T")


def in_threads(jobs: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What jobs return, in their order, each of which computes with one thread."""
    waiting = deque[Future[T]]()
    with ThreadPoolExecutor(min(MOST, torch.get_num_threads()), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for job in jobs:
            waiting.append(pool.submit(job))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        for begun in waiting:
            yield begun.result()
