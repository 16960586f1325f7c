"""What the gateway counts. Counting on the webhook path is an addition to an attribute; names,
types and text are made when somebody reads (`metrics_page`)."""


class Metrics:
    """Counters and gauges by attribute; `metrics_page` says what they mean."""

    def __init__(self) -> None:
        self.webhook_requests = 0
        self.webhook_refused = 0
        self.executions_accepted = 0
        self.executions_direct = 0
        self.executions_stored_late = 0
        self.executions_unacknowledged = 0
        self.batches_published = 0
        self.batches_retried = 0
        self.replies_received = 0
        self.replies_polled = 0
        self.replies_timed_out = 0
        self.shed_overload = 0
        self.shed_rate = 0
        self.api_requests = 0
        self.tap_events = 0
        self.tap_events_dropped = 0
        self.requests_waiting = 0
        self.routes = 0
        self.watchers = 0

    def text(self) -> bytes:
        """The page that Prometheus scrapes."""
        # Only where somebody scrapes: the package brings an HTTP client and three servers along.
        from penstock.gateway.metrics_page import page

        return page(self)
