"""Rate limits without a question per request: tokens leased from the tenant's actor.

A gateway asks for tokens ahead of need and spends them locally. Where there is no limit, the
answer says so and nothing is asked again for as long as it holds. While the actor cannot be asked
(its owner is dying or moving) the last knowledge counts: an outage of the limiter must not become
an outage of the webhooks, and the limit is the tenant's own protection, not a border.
"""

import asyncio
import logging
from collections.abc import Sequence

from penstock.gateway.metrics import Metrics
from penstock.gateway.problems import ProblemError
from penstock.subjects import asks, names
from penstock.subjects.bus import Bus
from penstock.subjects.codec import CodecError
from penstock.subjects.errors import BusError
from penstock.subjects.ids import partition_of

KINDS = ("webhooks", "executions")
RETRY_ASK_S = 1.0
LEASE_MIN, LEASE_MAX = 8, 4_096

log = logging.getLogger("penstock.gateway")


class Bucket:
    """What this gateway knows and holds of one limit of one tenant."""

    __slots__ = ("asking", "deny_until_s", "is_limited", "reason", "tokens", "until_s", "wanted")

    def __init__(self) -> None:
        self.is_limited = False
        self.tokens = 0
        self.until_s = 0.0
        self.deny_until_s = 0.0
        self.reason = ""
        self.wanted = LEASE_MIN
        self.asking: asyncio.Task[None] | None = None


class Leases:
    """The leases of all tenants that this gateway serves."""

    def __init__(self, bus: Bus, *, region: str, partitions: int, metrics: Metrics) -> None:
        self._bus = bus
        self._region = region
        self._partitions = partitions
        self._metrics = metrics
        self._buckets: dict[str, dict[str, Bucket]] = {}
        self._free: set[str] = set()

    def limits(self, tenant: str) -> bool:
        """Whether `take` must be awaited. False costs one look into a set."""
        return tenant not in self._free

    async def take(self, tenant: str, kinds: Sequence[str] = KINDS) -> None:
        """Take a token of each kind, or raise the 429 that says why not and for how long."""
        buckets = self._buckets.get(tenant)
        if buckets is None:
            buckets = self._buckets[tenant] = {kind: Bucket() for kind in KINDS}
        for kind in kinds:
            await self._take(tenant, kind, buckets[kind])
        self._note_if_free(tenant, buckets)

    def _note_if_free(self, tenant: str, buckets: dict[str, Bucket]) -> None:
        """Remember that a tenant has no limits, for as long as the answers hold."""
        loop = asyncio.get_running_loop()
        until_s = min(bucket.until_s for bucket in buckets.values())
        is_limited = any(bucket.is_limited for bucket in buckets.values())
        if not is_limited and until_s > loop.time() and tenant not in self._free:
            self._free.add(tenant)
            loop.call_at(until_s, self._free.discard, tenant)

    async def _take(self, tenant: str, kind: str, bucket: Bucket) -> None:
        now_s = asyncio.get_running_loop().time()
        if bucket.is_limited and now_s < bucket.deny_until_s and bucket.tokens <= 0:
            raise self._refusal(bucket, now_s)
        if now_s >= bucket.until_s or (bucket.is_limited and bucket.tokens <= bucket.wanted // 4):
            self._ask_soon(tenant, kind, bucket)
        if not bucket.is_limited and bucket.until_s:
            return
        if (bucket.tokens <= 0 or now_s >= bucket.until_s) and bucket.asking is not None:
            await asyncio.shield(bucket.asking)
        if not bucket.is_limited:
            return
        if bucket.tokens <= 0:
            raise self._refusal(bucket, asyncio.get_running_loop().time())
        bucket.tokens -= 1

    def _refusal(self, bucket: Bucket, now_s: float) -> ProblemError:
        self._metrics.shed_rate += 1
        return ProblemError(
            429,
            bucket.reason or "the tenant's rate limit is reached",
            remedy="send more slowly, or raise the limit",
            retry_after_s=max(1, round(bucket.deny_until_s - now_s + 0.5)),
        )

    def _ask_soon(self, tenant: str, kind: str, bucket: Bucket) -> None:
        if bucket.asking is None:
            bucket.asking = asyncio.create_task(self._ask(tenant, kind, bucket))

    async def _ask(self, tenant: str, kind: str, bucket: Bucket) -> None:
        loop = asyncio.get_running_loop()
        partition = partition_of(f"tenant/{tenant}", self._partitions)
        question = asks.ask_lease.encode(asks.AskLease(tenant, kind, bucket.wanted))
        try:
            subject = names.ask(self._region, partition, "lease")
            answer = asks.lease_answer.decode(
                await self._bus.request(subject, question, timeout_s=0.5)
            )
        except (BusError, CodecError) as error:
            log.debug("no lease for %s: %s", tenant, error)
            bucket.until_s = loop.time() + RETRY_ASK_S
            # Nobody can say: one second's worth of trust instead of an outage.
            bucket.tokens = max(bucket.tokens, bucket.wanted)
        else:
            self._learn(bucket, answer, loop.time())
        finally:
            bucket.asking = None

    def _learn(self, bucket: Bucket, answer: asks.LeaseAnswer, now_s: float) -> None:
        is_early = bucket.is_limited and now_s < bucket.until_s
        bucket.tokens = answer.granted + (max(bucket.tokens, 0) if is_early else 0)
        bucket.is_limited = answer.limited
        bucket.until_s = now_s + max(answer.ttl_ms, 100) / 1000
        bucket.reason = answer.reason
        if answer.limited and answer.granted <= 0:
            bucket.deny_until_s = now_s + max(answer.retry_after_ms, 50) / 1000
            bucket.wanted = LEASE_MIN
        elif answer.granted >= bucket.wanted:
            bucket.wanted = min(LEASE_MAX, bucket.wanted * 2)
