"""How a process loads what it is made of."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import inside: what is loaded stays to the end, so the garbage collector need not look for garbage in it.

    It would do so dozens of times while modules are loaded, and once more when the process ends: a third of the
    processor time of a start (decision 190). Where the collector rests already, nothing is done.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
