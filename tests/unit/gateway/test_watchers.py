"""What is held for people who watch: bounded by count and by bytes, and gaps are told."""

from penstock.gateway.watchers import Filter, Latest, LiveEvent, Watcher


def event(number: int, size: int = 1) -> LiveEvent:
    return LiveEvent(number, "w", "e", "failed", b"x" * size)


def numbers(latest: Latest) -> list[int]:
    return [each.number for each in latest.events]


def test_the_oldest_events_go_when_there_are_too_many() -> None:
    latest = Latest(events_max=2, bytes_max=100)

    assert [latest.append(event(number)) for number in (1, 2, 3)] == [0, 0, 1]
    assert numbers(latest) == [2, 3]


def test_a_long_event_takes_the_place_of_as_many_as_it_needs() -> None:
    latest = Latest(events_max=100, bytes_max=100)
    for number in range(10):
        latest.append(event(number, 10))

    assert latest.append(event(10, 75)) == 8
    assert numbers(latest) == [8, 9, 10]


def test_an_event_larger_than_all_room_is_held_alone_and_gives_its_room_back() -> None:
    latest = Latest(events_max=100, bytes_max=100)
    latest.append(event(1))

    assert latest.append(event(2, 1000)) == 1
    assert numbers(latest) == [2]
    assert latest.append(event(3, 50)) == 1
    assert latest.append(event(4, 50)) == 0
    assert numbers(latest) == [3, 4]


def test_a_watcher_that_reads_too_slowly_is_told_of_a_gap() -> None:
    watcher = Watcher(Filter())

    for number in range(9):
        watcher.offer(event(number, 1 << 20))

    assert watcher.has_gap
    assert numbers(watcher.queue) == [5, 6, 7, 8]
