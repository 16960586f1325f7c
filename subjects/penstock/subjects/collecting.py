"""How often a program looks for garbage in cycles.

Our messages and states make none, and die by thousands a second; what a program has loaded stays.
Python's own pace would walk over all of that again and again.
"""

import gc

_THRESHOLDS = (100_000, 50, 100)


def collect_rarely() -> None:
    """Call once, when everything is loaded that stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
