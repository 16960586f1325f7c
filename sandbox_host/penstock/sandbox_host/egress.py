"""The egress guard: which addresses nodes may connect to.

A workflow's author chooses URLs, so without a guard every node with HTTP is a way into the network
that the host stands in: its metadata service, its databases, its loopback. The guard looks at the
*resolved* address of every connection (`egress_http`: redirects and rebinding included, because it
sits in the connector's resolver and refuses literal addresses too), never at names.

Denied by default: whatever is not publicly routable. PENSTOCK_EGRESS_ALLOW opens networks.
"""

import ipaddress
from dataclasses import dataclass, field

from penstock.subjects.errors import PenstockError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SPECIAL = tuple(
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "100.64.0.0/10", "100::/64", "2001::/23", "3fff::/20", "5f00::/16")
)
"""Not for the public although some versions of Python call parts of them global; a metadata
service stands in the first."""
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class EgressDeniedError(PenstockError, OSError):
    """A connection that the guard refused. An `OSError`, so that aiohttp hands it on."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            f"The address {address} of {host!r} is not allowed",
            remedy="it is private or reserved; an operator can allow its network with "
            "PENSTOCK_EGRESS_ALLOW",
        )

    def __str__(self) -> str:
        return self.message


@dataclass(slots=True, frozen=True)
class EgressPolicy:
    """Networks that are allowed although they are not public."""

    allowed: tuple[Network, ...] = field(default=())

    @classmethod
    def from_text(cls, text: str) -> "EgressPolicy":
        """From a comma list of networks; `PenstockError` names what is none."""
        networks = []
        for each in filter(None, (part.strip() for part in text.split(","))):
            try:
                networks.append(ipaddress.ip_network(each, strict=False))
            except ValueError as error:
                raise PenstockError(
                    f"PENSTOCK_EGRESS_ALLOW: {error}",
                    remedy="give a comma list of networks, such as 10.1.0.0/16,127.0.0.1/32",
                ) from error
        return cls(tuple(networks))

    def allows(self, address: str) -> bool:
        """Whether a connection to `address` (numeric) may be made; what is no address may not."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        real = _innermost(parsed)
        if any(real.version == network.version and real in network for network in self.allowed):
            return True
        if any(real.version == network.version and real in network for network in _SPECIAL):
            return False
        return real.is_global and not real.is_multicast


def _innermost(address: Address) -> Address:
    """The IPv4 address inside of an IPv6 one that only wraps it: it is where packets go."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if wrapped is not None:
        return wrapped
    number = int(address)
    if any(address in network for network in _NAT64) or 1 < number < 1 << 32:
        # ::a.b.c.d is the retired "compatible" form.
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return address
