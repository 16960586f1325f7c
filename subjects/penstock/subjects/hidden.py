"""Leaving out what others import only where they find it.

Libraries import optional parts with `try: import …`, which costs memory in every process whether
or not the part is ever used. Where it is not, it is hidden from them.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(module: str) -> Iterator[None]:
    """Imports of `module` fail in here as if it were not installed, unless it is loaded already.

    For the start of a program: other threads that import meanwhile find it missing too.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # how Python says: not to be imported
    try:
        yield
    finally:
        del sys.modules[module]
