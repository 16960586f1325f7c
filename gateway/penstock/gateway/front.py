"""The gateway as one ASGI application: webhooks on the short way, everything else through REST."""

from pathlib import Path

from starlette.types import Receive, Scope, Send

from penstock.gateway.answers import failure
from penstock.gateway.api.application import application
from penstock.gateway.api.endpoint import OwnerToken
from penstock.gateway.bodies import ClientGoneError, drain
from penstock.gateway.lifecycle import Lifecycle
from penstock.gateway.parts import Parts
from penstock.gateway.problems import starting
from penstock.gateway.webhooks import Webhooks


class Front:
    """Answers from the first moment: 503 with Retry-After until `open`."""

    def __init__(self, life: Lifecycle, owner_token: Path | None) -> None:
        self.life = life
        self._webhooks: Webhooks | None = None
        self._rest = application(life, OwnerToken(owner_token))

    def attach(self, parts: Parts) -> None:
        """The broker is reached; routes are being loaded."""
        self.life.parts = parts

    def open(self) -> None:
        """Every route is known: serve."""
        assert self.life.parts is not None
        self._webhooks = Webhooks(self.life.parts)
        self.life.is_open = True
        self.life.may_serve.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not scope["path"].startswith("/webhook"):
            await self._rest(scope, receive, send)
            return
        try:
            if self._webhooks is None:
                raise starting()
            answer = await self._webhooks.answer(scope, receive)
        except ClientGoneError:
            return
        except Exception as error:
            self.life.metrics.webhook_refused += 1
            await drain(scope, receive)
            answer = failure(error)
        await answer.send(send)
