"""The page that Prometheus scrapes at `/metrics`: what the gateway counted, in its words.

Several gateways on one address answer in turn, so every value says whose it is, by process id:
without that their counters would seem to jump back and forth.
"""

import os
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from penstock.gateway.metrics import Metrics

_COUNTERS = {
    "webhook_requests": "Requests that reached a webhook route.",
    "webhook_refused": "Webhook requests answered 4xx before anything was started.",
    "executions_accepted": "Executions that the broker acknowledged.",
    "executions_direct": "Executions sent straight to their owner, since their callers wait.",
    "executions_stored_late": "Of those, the ones stored because no answer came.",
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


class _Values(Collector):
    """The present values, as the package asks for them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        for name, text in _COUNTERS.items():
            yield self._told(CounterMetricFamily, name, text)
        for name, text in _GAUGES.items():
            yield self._told(GaugeMetricFamily, name, text)

    def _told(
        self, family: type[CounterMetricFamily | GaugeMetricFamily], name: str, text: str
    ) -> Metric:
        told = family(f"penstock_gateway_{name}", text, labels=("pid",))
        told.add_metric((str(os.getpid()),), getattr(self._metrics, name))
        return told


def page(metrics: Metrics) -> bytes:
    """The page in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Values(metrics))
    return generate_latest(registry)
