"""`penstock tap`: executions and steps as they happen, from the broker, coloured.

Taps are lossy by contract: under load they are shed first. Whoever needs everything reads the
history. The tap user of the broker sees `tap.>` and may say nothing.
"""

import asyncio
import json
from typing import Any

from penstock.cli.arguments import add_data, parser
from penstock.cli.broker_access import broker_of
from penstock.subjects.bus import Message
from penstock.subjects.names import token

_EXAMPLES = """\
  penstock tap
  penstock tap --workflow ID
  penstock tap --json | jq .
  PENSTOCK_NATS_URL=… PENSTOCK_NATS_USER=tap PENSTOCK_NATS_PASSWORD=… penstock tap"""

_COLOURS = {
    "started": "cyan",
    "finished": "green",
    "success": "green",
    "error": "red",
    "failed": "red",
    "canceled": "yellow",
    "waiting": "yellow",
}


def main(argv: list[str]) -> int:
    """Print until Ctrl-C."""
    it = parser("tap", "Watch executions live.", examples=_EXAMPLES)
    it.add_argument("--tenant", default="main", help="whose executions (default: main)")
    it.add_argument("--workflow", default="*", metavar="ID", help="only this workflow's")
    it.add_argument("--json", action="store_true", help="print each event as one line of JSON")
    add_data(it)
    options = it.parse_args(argv)
    workflow = options.workflow if options.workflow == "*" else token(options.workflow)
    subject = f"tap.{token(options.tenant)}.{workflow}.>"
    asyncio.run(_watch(broker_of(options, "tap"), subject, is_json=options.json))
    return 0


async def _watch(connection: dict[str, str], subject: str, *, is_json: bool) -> None:
    from rich.console import Console

    from penstock.subjects.bus_nats import NatsBus

    console = Console(highlight=False, soft_wrap=True)

    def show(message: Message) -> None:
        if is_json:
            print(message.payload.decode("utf-8", "replace"), flush=True)
        else:
            console.print(line_of(message.subject, message.payload), markup=False)

    bus = await NatsBus.connect(**connection, name="penstock.tap", wait_s=5.0)
    bus.subscribe(subject, show)
    try:
        await asyncio.Event().wait()
    finally:
        await bus.close()


def line_of(subject: str, payload: bytes) -> Any:
    """One event as one coloured line. What is in it is text, never markup."""
    from rich.text import Text

    _, _, workflow, execution, event = (subject.split(".", 4) + [""] * 5)[:5]
    try:
        body = json.loads(payload)
    except ValueError:
        body = {}
    fields = body if isinstance(body, dict) else {"value": body}
    status = str(fields.get("status", event))
    colour = _COLOURS.get(status, _COLOURS.get(event, "white"))
    line = Text()
    line.append(f"{workflow} ", style="dim")
    line.append(f"{execution} ", style="bold")
    line.append(f"{event:<16}", style=colour)
    if node := fields.get("node"):
        line.append(f"{node} ", style="magenta")
    shown = {"node", "execution", "workflow", "tenant", "event"}
    rest = {key: value for key, value in fields.items() if key not in shown}
    line.append(json.dumps(rest, ensure_ascii=False)[:160] if rest else "", style="dim")
    return line
