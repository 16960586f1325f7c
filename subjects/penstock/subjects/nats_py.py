"""What we take from nats-py, and only that.

nats-py imports aiohttp where it is installed, for a WebSocket transport that we do not use: 10 MB
in every program, for nothing. It does without where the import fails, so it fails here.
"""

from importlib.metadata import version

from penstock.subjects.errors import PenstockError
from penstock.subjects.hidden import hidden

_NATS_PY = "2.16."

if not version("nats-py").startswith(_NATS_PY):
    raise PenstockError(
        f"nats-py {version('nats-py')} is installed, this was proven with {_NATS_PY}x",
        remedy=f"install nats-py {_NATS_PY}*, or run tests/contract and raise the pin",
    )

with hidden("aiohttp"):
    from nats.aio.client import Client
    from nats.errors import Error as NatsError
    from nats.protocol.parser import Parser

__all__ = ["Client", "NatsError", "Parser"]
