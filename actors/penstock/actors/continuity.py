"""Whether the records of a journal follow each other, or some between them are lost.

Every record carries its epoch and its number in that, so a broker that lost some (a disk that was
put back from an older copy, a stream that somebody purged) can be told from one that kept all.
Nothing else would tell: what is left reads well, and means something else.
"""

from typing import Protocol


class Numbered(Protocol):
    """A record: its epoch, and its number in that; 0 opens the epoch."""

    epoch: int
    index: int


class Continuity:
    """The order of one partition's records, read from anywhere on."""

    def __init__(self) -> None:
        self._epoch = 0
        self._index = 0

    def gap(self, record: Numbered) -> str:
        """What is missing before `record`, as a sentence; empty when it follows the last one."""
        epoch, index = self._epoch, self._index
        self._epoch, self._index = record.epoch, record.index
        follows = (epoch, index + 1), (epoch + 1, 0)
        if not epoch or (record.epoch, record.index) in follows:
            return ""
        return (
            f"record {record.index} of epoch {record.epoch} comes after record {index} of epoch"
            f" {epoch}: what was between is lost"
        )
