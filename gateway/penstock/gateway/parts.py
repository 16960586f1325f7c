"""What the gateway is made of, put together once and then passed down."""

from dataclasses import dataclass

from penstock.gateway.bodies import Blobs
from penstock.gateway.catalog import Catalog
from penstock.gateway.direct import Direct
from penstock.gateway.directory import Directory
from penstock.gateway.ingress import Ingress
from penstock.gateway.leases import Leases
from penstock.gateway.metrics import Metrics
from penstock.gateway.owners import Owners
from penstock.gateway.programs import Programs
from penstock.gateway.replies import Replies
from penstock.gateway.resuming import Resuming
from penstock.gateway.routing import RoutingTable
from penstock.gateway.signals import Signals
from penstock.gateway.watchers import Taps
from penstock.subjects.bus import Bus
from penstock.subjects.clock import Clock
from penstock.subjects.history import HistoryClient
from penstock.subjects.resume_urls import ResumeKeys
from penstock.workflow.plan import NodeTypes


@dataclass(slots=True, frozen=True, kw_only=True)
class Surroundings:
    """What a gateway is given: everything that tests replace."""

    bus: Bus
    blobs: Blobs
    clock: Clock
    types: NodeTypes
    metrics: Metrics
    gateway: str
    region: str = "local"
    partitions: int = 16
    public_url: str = ""
    resume_keys: ResumeKeys


@dataclass(slots=True, frozen=True, kw_only=True)
class Parts:
    """The gateway's own parts."""

    around: Surroundings
    routes: RoutingTable
    catalog: Catalog
    directory: Directory
    ingress: Ingress
    direct: Direct
    replies: Replies
    signals: Signals
    owners: Owners
    resuming: Resuming
    leases: Leases
    history: HistoryClient
    programs: Programs
    taps: Taps

    @property
    def bus(self) -> Bus:
        return self.around.bus

    @property
    def blobs(self) -> Blobs:
        return self.around.blobs

    @property
    def clock(self) -> Clock:
        return self.around.clock

    @property
    def metrics(self) -> Metrics:
        return self.around.metrics

    @property
    def public_url(self) -> str:
        return self.around.public_url


def assemble(around: Surroundings) -> Parts:
    """Make the parts. Subscribes to replies and heartbeats; starts nothing else."""
    bus, region, partitions = around.bus, around.region, around.partitions
    routes = RoutingTable()
    catalog = Catalog(routes, around.metrics)
    signals = Signals(bus, region=region, gateway=around.gateway)
    owners = Owners(bus, region=region, partitions=partitions)
    replies = Replies(
        bus, region=region, partitions=partitions, gateway=around.gateway, metrics=around.metrics
    )
    ingress = Ingress(
        bus, region=region, partitions=partitions, gateway=around.gateway, metrics=around.metrics
    )
    direct = Direct(bus, ingress, region=region, partitions=partitions, gateway=around.gateway)
    replies.store, replies.forget = direct.store, direct.forget
    return Parts(
        around=around,
        routes=routes,
        catalog=catalog,
        directory=Directory(bus, catalog, around.types, around.clock),
        ingress=ingress,
        direct=direct,
        replies=replies,
        signals=signals,
        owners=owners,
        resuming=Resuming(owners, signals, replies, around.resume_keys),
        leases=Leases(bus, region=region, partitions=partitions, metrics=around.metrics),
        history=HistoryClient(bus, region),
        programs=Programs(bus, around.clock, gateway=around.gateway),
        taps=Taps(bus, tenant="main", gateway=around.gateway, metrics=around.metrics),
    )
