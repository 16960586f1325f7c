"""Journals of every version give the same states for ever."""

from pathlib import Path

import msgspec
import pytest

from tests.replay.corpus import as_known_then, files, read, replay


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_a_released_versions_journals_mean_what_they_meant(path: Path) -> None:
    corpus = read(path)

    meaning = msgspec.msgpack.decode(msgspec.msgpack.encode(replay(corpus)))

    assert as_known_then(meaning, corpus.meaning) == corpus.meaning


def test_the_corpus_holds_what_can_be_in_a_journal() -> None:
    partitions = [partition for path in files() for partition in read(path).meaning]

    assert any(partition["open"] for partition in partitions)
    assert any(partition["held"] for partition in partitions)
    assert any(partition["others"] for partition in partitions)
    statuses = {told["status"] for p in partitions for told in p["executions"].values()}
    assert statuses >= {"success", "error", "waiting", "running"}
