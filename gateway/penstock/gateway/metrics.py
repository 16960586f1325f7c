"""What the gateway counts, as Prometheus reads it at `/metrics`.

Counting on the webhook path is an addition to an attribute; names, types and text are made when
somebody reads.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

_COUNTERS = {
    "webhook_requests": "Requests that reached a webhook route.",
    "webhook_refused": "Webhook requests answered 4xx before anything was started.",
    "executions_accepted": "Executions that the broker acknowledged.",
    "executions_unacknowledged": "Executions given up after ten seconds without acknowledgement.",
    "batches_published": "Batches of run requests that the broker acknowledged.",
    "batches_retried": "Batches sent again with the same message id.",
    "replies_received": "Answers of executions to waiting requests.",
    "replies_polled": "Answers fetched from an owner because none had come.",
    "replies_timed_out": "Waiting requests given up while the execution went on.",
    "shed_overload": "Requests refused because too much was waiting.",
    "shed_rate": "Requests refused by a rate limit.",
    "api_requests": "Requests to the REST API.",
    "tap_events": "Live events received for watchers.",
    "tap_events_dropped": "Live events that a slow watcher missed.",
}
_GAUGES = {
    "requests_waiting": "Requests that wait for an acknowledgement or a reply.",
    "routes": "Webhook routes being served.",
    "watchers": "Open event streams.",
}


class Metrics(Collector):
    """Counters and gauges by attribute; see `_COUNTERS` and `_GAUGES` for what they mean."""

    def __init__(self) -> None:
        self.webhook_requests = 0
        self.webhook_refused = 0
        self.executions_accepted = 0
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
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Prometheus' hook: the present values."""
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"penstock_gateway_{name}", text, getattr(self, name))
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"penstock_gateway_{name}", text, getattr(self, name))

    def text(self) -> bytes:
        """The page that Prometheus scrapes."""
        return generate_latest(self._registry)
