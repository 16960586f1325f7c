"""Fitting: what of a view is left out so that one message can hold the rest.

An execution may have more runs, and more data, than a message takes. Who asks for it gets an
answer all the same: how it stands, and of its runs as much as there is room for, the newest first.
Half of the room is for the list of runs, so that large data does not hide what ran; a run without
its outputs says so (`is_partial`), and the view counts the runs that are missing (`runs_left_out`).

Sizes are those of the codec's encoding. A view is changed in place; what it was made from is not.
"""

from typing import Any

import msgspec

from penstock.subjects.codec import MESSAGE_BYTES_MAX
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.views import ExecutionView, NodeRunView

VIEW_BYTES_MAX = MESSAGE_BYTES_MAX - 64 * 1024
"""Leaves room for what is around a view in an answer."""
ERROR_LENGTH_MAX = 2_000
_PER_RUN_BYTES = 16
"""For what encoding a run by itself does not show: its place in the lists of runs."""

_encode = msgspec.msgpack.Encoder().encode


def fit(view: ExecutionView, bytes_max: int = VIEW_BYTES_MAX) -> None:
    """Leave out what does not fit into `bytes_max`. Called when the whole does not."""
    runs, view.runs = view.runs, {}
    view.is_partial = True
    if _size(view) > bytes_max // 2:
        view.custom = None
        view.error = shortened(view.error)
    room = bytes_max - _size(view)
    newest = sorted(
        ((run, name) for name, of_node in runs.items() for run in of_node),
        key=lambda pair: pair[0].index,
        reverse=True,
    )
    kept = _kept(newest, room)
    view.runs_left_out = len(newest) - len(kept)
    for name, of_node in runs.items():
        left = [run for run in of_node if id(run) in kept]
        if left:
            view.runs[name] = left


def shortened(error: ErrorInfo | None) -> ErrorInfo | None:
    """`error` with what may be long in it cut."""
    if error is None:
        return None
    texts = {
        name: text if len(text) <= ERROR_LENGTH_MAX else text[:ERROR_LENGTH_MAX] + "…"
        for name in ("message", "description", "stack")
        if (text := getattr(error, name)) is not None
    }
    return msgspec.structs.replace(error, context=None, **texts)


def _kept(newest: list[tuple[NodeRunView, str]], room: int) -> set[int]:
    """Which runs stay (by `id`), those of them with their outputs for which there is room."""
    outputs = [run.outputs for run, _ in newest]
    kept: set[int] = set()
    used = 0
    for run, name in newest:
        run.outputs = None
        bytes_ = _size(run) + len(name.encode()) + _PER_RUN_BYTES
        if used + bytes_ > room // 2:
            run.error = shortened(run.error)
            bytes_ = _size(run) + len(name.encode()) + _PER_RUN_BYTES
        if used + bytes_ > room // 2:
            break
        used += bytes_
        kept.add(id(run))
    for (run, _), data in zip(newest[: len(kept)], outputs, strict=False):
        if data is None:
            continue
        bytes_ = _size(data)
        if used + bytes_ <= room:
            run.outputs = data
            used += bytes_
        else:
            run.is_partial = True
    return kept


def _size(value: Any) -> int:
    return len(_encode(value))
