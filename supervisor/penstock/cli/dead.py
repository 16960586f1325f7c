"""`penstock dead`: what is in quarantine, and sending it again.

A message that nobody could read, or that failed twice, stands in the DEAD stream with its reason
and origin, and work went on without it. When the fault behind it is repaired it can be sent again
to where it came from. It stays in DEAD, as a record.
"""

import asyncio

from penstock.cli.arguments import add_data, parser
from penstock.cli.broker_access import broker_of
from penstock.cli.tables import print_json, table
from penstock.subjects.bus import Ack, Bus, Message
from penstock.subjects.codec import CodecError
from penstock.subjects.dead_letters import DeadLetter, dead_letter
from penstock.subjects.errors import PenstockError

_EXAMPLES = """\
  penstock dead
  penstock dead --json
  penstock dead --send-again 17"""

_SHOWN_BYTES = 60
_STREAMS = ("exec.", "step.", "done.")


def main(argv: list[str]) -> int:
    """List the letters, or send one again."""
    it = parser("dead", "Show messages in quarantine, or send one again.", examples=_EXAMPLES)
    it.add_argument("--json", action="store_true", help="print JSON")
    it.add_argument("--send-again", type=int, metavar="NUMBER", help="the letter to send again")
    add_data(it)
    options = it.parse_args(argv)
    # The role that may both read DEAD and write to where letters come from.
    letters = asyncio.run(_work(broker_of(options, "actors"), options.send_again))
    if options.send_again is not None:
        print(f"sent again to {letters[options.send_again].subject}")
    elif options.json:
        print_json([_as_json(number, letter) for number, letter in letters.items()])
    else:
        show(letters)
    return 0


def show(letters: dict[int, DeadLetter]) -> None:
    """Print the letters by their number, each on one line."""
    rows = [_row(number, letter) for number, letter in letters.items()]
    table(["number", "reason", "from", "execution", "payload", "why"], rows)


async def _work(connection: dict[str, str], again: int | None) -> dict[int, DeadLetter]:
    from penstock.subjects.bus_nats import NatsBus

    bus = await NatsBus.connect(**connection, name="penstock.dead", wait_s=5.0)
    try:
        letters = await read(bus)
        if again is not None:
            await send_again(bus, letters, again)
        return letters
    finally:
        await bus.close()


async def read(bus: Bus) -> dict[int, DeadLetter]:
    """All letters by their sequence in DEAD, oldest first."""
    info = await bus.info("DEAD")
    letters: dict[int, DeadLetter] = {}
    if not info["messages"]:
        return letters
    is_done = asyncio.Event()

    def on_message(message: Message) -> None:
        try:
            letters[message.sequence] = dead_letter.decode(message.payload)
        except CodecError as error:
            letters[message.sequence] = DeadLetter(
                "", error.message, message.subject, 0, message.payload
            )
        if message.sequence >= info["last"]:
            is_done.set()

    following = bus.follow("DEAD", "dead.>", info["first"], on_message)
    try:
        await is_done.wait()
    finally:
        following.close()
    return letters


async def send_again(bus: Bus, letters: dict[int, DeadLetter], number: int) -> None:
    """Append a letter's payload to where it came from."""
    letter = letters.get(number)
    if letter is None:
        raise PenstockError(
            f"there is no letter {number} in quarantine", remedy="`penstock dead` lists them"
        )
    if not letter.subject.startswith(_STREAMS):
        raise PenstockError(
            f"letter {number} is a {letter.subject or 'message'} that failed inside of its owner",
            remedy="its execution has failed; run it again: POST /api/v1/executions/{id}/retry",
        )
    stored: asyncio.Future[Ack | Exception] = asyncio.get_running_loop().create_future()
    bus.append(letter.subject, letter.payload, stored.set_result)
    result = await stored
    if isinstance(result, Exception):
        raise result


def _row(number: int, letter: DeadLetter) -> list[str]:
    origin = f"{letter.subject} {letter.sequence or ''}".strip()
    payload = repr(letter.payload[:_SHOWN_BYTES])[2:-1]
    return [str(number), letter.reason, origin, letter.execution, payload, _why(letter)]


def _why(letter: DeadLetter) -> str:
    """The reason, which stands in the first line; what follows it is for `--json`."""
    return letter.detail.partition("\n")[0]


def _as_json(number: int, letter: DeadLetter) -> dict[str, object]:
    return {
        "number": number,
        "reason": letter.reason,
        "subject": letter.subject,
        "sequence": letter.sequence,
        "execution": letter.execution,
        "detail": letter.detail,
        "payload_hex": letter.payload.hex(),
    }
