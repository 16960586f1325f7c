"""Whether any sandbox host lives: an execution whose step nobody can take says so."""

from penstock.subjects.bus import Bus, Message
from penstock.subjects.clock import Clock

SILENCE_S = 5.0


class Sandboxes:
    """Hears the heartbeats of the sandbox hosts of a region."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._clock = clock
        self._heard_s = clock.monotonic_s()
        self._subscription = bus.subscribe("hb.sandbox.*", self._on_beat)

    @property
    def is_any_alive(self) -> bool:
        """Whether one was heard lately; a host that has just started has not listened long."""
        return self._clock.monotonic_s() - self._heard_s < SILENCE_S

    def close(self) -> None:
        """Listen no more."""
        self._subscription.close()

    def _on_beat(self, _: Message) -> None:
        self._heard_s = self._clock.monotonic_s()
