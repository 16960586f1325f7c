"""Who may do what on the broker: one user per kind of program, missing means deny.

The process that runs user code takes steps, reads plans and answers with results; it sees no
journal, no history and no other program's inbox. A watcher sees `tap.>` and can say nothing.
Only `admin`, which `penstock up` alone holds, may create or change streams.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What one role may do, beyond its own inbox."""

    publish: Sequence[str] = ()
    subscribe: Sequence[str] = ()
    read: Sequence[str] = ()
    """Streams whose messages it may read."""
    purge: Sequence[str] = ()
    """Streams from which it may remove what is no longer needed."""
    work: Sequence[str] = ()
    """Work queues from which it may take."""
    answers: bool = False
    """Whether it answers requests, each once."""
    write_buckets: Sequence[str] = ()
    read_buckets: Sequence[str] = ()


ROLE_RIGHTS: dict[str, Rights] = {
    "gateway": Rights(
        publish=("exec.*.*.in.>", "run.>", "ask.>", "hb.gateway.*", "$JS.API.STREAM.INFO.*"),
        subscribe=("reply.>", "tap.>", "hb.>"),
        write_buckets=("plans", "workflows", "routes"),
        read_buckets=("hosts",),
    ),
    "actors": Rights(
        publish=(
            *("exec.>", "snap.>", "step.>", "done.>", "dead.>"),
            *("reply.>", "ask.>", "hb.actors.*", "tap.>", "$JS.API.STREAM.INFO.*"),
        ),
        subscribe=("run.>", "ask.>", "hb.>"),
        answers=True,
        read=("EXEC", "SNAP", "DONE", "DEAD", "STEPS"),
        purge=("EXEC", "SNAP", "STEPS"),
        write_buckets=("hosts", "marks", "plans", "static", "workflows"),
        read_buckets=("routes",),
    ),
    "sandbox": Rights(
        publish=("done.>", "hb.sandbox.*", "dead.>"),
        work=("STEPS",),
        read_buckets=("plans", "static"),
    ),
    "projector": Rights(
        publish=("hb.projector.*", "$JS.API.STREAM.INFO.*"),
        subscribe=("ask.*.history.*",),
        answers=True,
        read=("EXEC", "DEAD"),
        write_buckets=("marks",),
        read_buckets=("plans", "workflows"),
    ),
    "admin": Rights(publish=("$JS.API.>", "$JS.SNAPSHOT.>", "$KV.>"), subscribe=("hb.>", "tap.>")),
    "tap": Rights(subscribe=("tap.>",)),
}


def publish_subjects(rights: Rights) -> list[str]:
    """All subjects that a role with these rights may publish to."""
    subjects = list(rights.publish)
    buckets = [*rights.write_buckets, *rights.read_buckets]
    for stream in (*rights.read, *(f"KV_{bucket}" for bucket in buckets)):
        subjects += _reading(stream)
    for stream in rights.purge:
        subjects.append(f"$JS.API.STREAM.PURGE.{stream}")
    for stream in rights.work:
        subjects += [
            f"$JS.API.STREAM.INFO.{stream}",
            f"$JS.API.CONSUMER.INFO.{stream}.*",
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*",
            f"$JS.ACK.{stream}.>",
            # A broker that restarted has lost the consumers of a stream in memory. The filter is
            # part of the subject and a work queue's filters may not overlap, so whoever makes
            # one takes nothing that is not there to be taken.
            f"$JS.API.CONSUMER.CREATE.{stream}.*.step.*.*",
        ]
    subjects += [f"$KV.{bucket}.>" for bucket in rights.write_buckets]
    return subjects


def subscribe_subjects(role: str, rights: Rights) -> list[str]:
    """All subjects that a role may subscribe to: those of its rights and its own inbox."""
    return [*rights.subscribe, f"_INBOX.{role}.>"]


def _reading(stream: str) -> list[str]:
    return [
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.STREAM.MSG.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}.>",
        f"$JS.API.CONSUMER.CREATE.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}.>",
        f"$JS.API.CONSUMER.DELETE.{stream}.*",
        f"$JS.API.CONSUMER.INFO.{stream}.*",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*",
        f"$JS.FC.{stream}.>",
    ]
