"""CPU time of a call, for the benchmarks of networks."""

import time
from collections.abc import Callable


def best_of(way: Callable[[], object], rounds: int) -> float:
    """The least process CPU time of a call, in ms."""
    way()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        way()
        times.append(time.process_time() - start)
    return 1e3 * min(times)
