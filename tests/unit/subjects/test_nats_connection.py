"""Where a connection to the broker may lead."""

import asyncio

import pytest

from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.errors import PenstockError


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "nats://127.0.0.1:1,wss://127.0.0.1:1"])
def test_a_websocket_is_refused_at_once_with_what_to_give_instead(url: str) -> None:
    with pytest.raises(PenstockError, match="WebSocket") as refused:
        asyncio.run(NatsBus.connect(url))

    assert "nats://HOST:PORT" in refused.value.remedy
