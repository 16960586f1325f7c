"""Ids sort by time, tell it, and children go with their root."""

import pytest

from penstock.subjects import ids


@pytest.mark.parametrize("at_ms", [0, 1, 1_790_000_000_000, (1 << 45) - 1])
def test_an_id_tells_when_it_was_made(at_ms: int) -> None:
    assert ids.created_ms(ids.new_id(at_ms)) == at_ms
    assert ids.created_ms(ids.new_id(at_ms) + "-3-1") == at_ms


@pytest.mark.parametrize("text", ["", "-", "../../etc/passwd", "iiiiiiiii", "+1_000000", "  1"])
def test_what_is_no_id_was_made_at_no_time(text: str) -> None:
    assert ids.created_ms(text) == 0


def test_ids_sort_by_time() -> None:
    made = [ids.new_id(at_ms) for at_ms in range(0, 100_000_000_000, 7_777_777_777)]

    assert sorted(made) == made


def test_a_family_lives_in_one_partition() -> None:
    root = ids.new_id(5)

    assert ids.root_of(f"{root}-2-1") == root
    assert 0 <= ids.partition_of(root, 16) < 16
