"""Where the gateway is in its life: listening, open, draining. Every answer depends on it."""

import asyncio

from penstock.gateway.metrics import Metrics
from penstock.gateway.parts import Parts


class Lifecycle:
    """Set by the program, read by everything that answers requests.

    `parts` is None until the broker is reached; `is_open` once every route is known.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.parts: Parts | None = None
        self.is_open = False
        self.is_draining = False
        self.may_serve = asyncio.Event()
        """Set when it is open, or will not be any more."""

    @property
    def is_ready(self) -> bool:
        """Whether a load balancer should send requests here."""
        return (
            self.is_open
            and not self.is_draining
            and self.parts is not None
            and self.parts.bus.is_connected
        )

    @property
    def why_not_ready(self) -> str:
        """What `/readyz` says while `is_ready` is false."""
        if self.is_draining:
            return "draining"
        if self.parts is None or not self.parts.bus.is_connected:
            return "the broker is out of reach"
        return "the routes are not loaded yet"
