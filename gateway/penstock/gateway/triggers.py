"""What starts a workflow, read from its document: webhook routes and schedules.

Decided when a version is saved and again when it is activated, never on a request. What a webhook
node asks for and this gateway cannot do yet keeps a workflow from being activated: a webhook that
should check a password and does not would be worse than none.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from penstock.nodes.schedule_rules import InvalidScheduleError, rules
from penstock.subjects.workflows import WebhookRoute
from penstock.workflow.document import Document, DocumentNode, Problem

WEBHOOK = "n8n-nodes-base.webhook"
SCHEDULES = frozenset(
    {"n8n-nodes-base.scheduleTrigger", "n8n-nodes-base.cron", "n8n-nodes-base.interval"}
)
CALLED = frozenset({"n8n-nodes-base.executeWorkflowTrigger", "n8n-nodes-base.errorTrigger"})
"""Triggers that other workflows fire; nothing is to be registered for them."""

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
MODES = ("onReceived", "lastNode", "responseNode")
PATH_LENGTH_MAX = 500
WAIT_S_MAX = 3_600.0

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._~-]")
_NOT_IN_PATHS = re.compile(r"[\x00-\x20\x7f?#\\]|//")
_PARAMETER = re.compile(r":[A-Za-z_][A-Za-z0-9_]*")


class Triggers(NamedTuple):
    """What a document registers, and what keeps it from being activated."""

    webhooks: list[WebhookRoute]
    schedules: list[str]
    problems: list[Problem]


def triggers_of(document: Document) -> Triggers:
    """The triggers of a document's enabled nodes."""
    found = Triggers([], [], [])
    called = False
    for index, node in enumerate(document.nodes):
        if node.disabled:
            continue
        if node.type == WEBHOOK:
            _webhook(found, f"nodes[{index}].parameters", node, document.settings)
        elif node.type in SCHEDULES:
            found.schedules.append(node.name)
            found.problems.extend(_schedule_problems(f"nodes[{index}].parameters", node))
        elif node.type in CALLED:
            called = True
    _same_path_twice(found)
    if found.schedules:
        found.problems.extend(_zone_problems(document.settings.get("timezone")))
    if not (found.webhooks or found.schedules or called or found.problems):
        found.problems.append(
            Problem(
                "nodes",
                "nothing can start this workflow",
                "add a webhook, a schedule or another trigger",
            )
        )
    return found


def claim_of(route: WebhookRoute) -> str:
    """What two workflows cannot both own: the method and the path's shape."""
    shape = "/".join(
        ":" if segment.startswith(":") else segment for segment in route.path.split("/")
    )
    return f"{route.method} {shape}"


def _webhook(
    found: Triggers, at: str, node: DocumentNode, workflow_settings: Mapping[str, Any]
) -> None:
    parameters = node.parameters
    problems = _unsupported(at, node)
    path, path_problems = _path(at, node)
    methods, method_problems = _methods(at, parameters)
    found.problems.extend([*problems, *path_problems, *method_problems])
    if path_problems or method_problems:
        return
    settings: dict[str, Any] = {
        "typeVersion": node.version,
        "responseMode": parameters.get("responseMode") or MODES[0],
        "options": _object(parameters.get("options")),
    }
    if parameters.get("responseCode") is not None:
        settings["responseCode"] = parameters["responseCode"]
    timeout_s = workflow_settings.get("executionTimeout")
    if isinstance(timeout_s, int | float) and 0 < timeout_s < WAIT_S_MAX:
        settings["wait_s"] = float(timeout_s)
    for output, method in enumerate(methods):
        if ":" not in path:
            found.webhooks.append(WebhookRoute(method, path, node.name, settings, output=output))
            continue
        # Where parameters are, the webhook's id goes before them; that is the claimed address.
        prefix = _NOT_IN_IDS.sub("-", node.webhook_id)
        if prefix:
            found.webhooks.append(
                WebhookRoute(method, f"{prefix}/{path}", node.name, settings, output=output)
            )
        found.webhooks.append(
            WebhookRoute(method, path, node.name, settings, is_claimed=not prefix, output=output)
        )


def _schedule_problems(at: str, node: DocumentNode) -> list[Problem]:
    """Why a schedule would never be due: better told now than waited for."""
    what = f"the schedule {node.name!r}"
    try:
        if rules(node.parameters, node.type, node.version):
            return []
    except InvalidScheduleError as error:
        return [Problem(at, f"{what}: {error.message}", error.remedy)]
    return [Problem(at, f"{what} has no time at which it fires", "give it a rule")]


def _zone_problems(name: Any) -> list[Problem]:
    if name in (None, "", "DEFAULT"):
        return []
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, TypeError, OSError):
        message = f"{str(name)[:80]!r} is not a time zone"
        return [Problem("settings.timezone", message, "a name such as Europe/Berlin")]
    return []


def _path(at: str, node: DocumentNode) -> tuple[str, list[Problem]]:
    raw = node.parameters.get("path") or node.webhook_id
    where = f"{at}.path"
    if not isinstance(raw, str) or not raw.strip("/"):
        return "", [Problem(where, f"webhook {node.name!r} has no path", "give it a path")]
    if raw.startswith("="):
        return "", [Problem(where, "a webhook's path cannot be an expression", "write it out")]
    path = raw.strip("/")
    if len(path) > PATH_LENGTH_MAX or _NOT_IN_PATHS.search(path):
        return "", [Problem(where, f"{path[:80]!r} cannot be a path", "use letters and digits")]
    for segment in path.split("/"):
        if segment.startswith(":") and not _PARAMETER.fullmatch(segment):
            return "", [Problem(where, f"{segment!r} cannot be a parameter", "write it as :name")]
    return path, []


def _methods(at: str, parameters: dict[str, Any]) -> tuple[list[str], list[Problem]]:
    is_multiple = parameters.get("multipleMethods") is True
    raw = parameters.get("httpMethod", ["GET", "POST"] if is_multiple else "GET")
    methods = raw if isinstance(raw, list) and is_multiple else [raw]
    if not methods or any(method not in METHODS for method in methods):
        return [], [
            Problem(f"{at}.httpMethod", f"unknown method {raw!r}", f"one of {', '.join(METHODS)}")
        ]
    return methods, []


def _unsupported(at: str, node: DocumentNode) -> list[Problem]:
    problems = []
    authentication = node.parameters.get("authentication") or "none"
    if authentication != "none":
        problems.append(
            Problem(
                f"{at}.authentication",
                f"webhook {node.name!r} asks for {authentication}, which needs credentials",
                "credentials are not available yet; set the authentication to none",
            )
        )
    mode = node.parameters.get("responseMode") or MODES[0]
    if mode not in MODES:
        problems.append(
            Problem(
                f"{at}.responseMode",
                f"webhook {node.name!r} cannot answer in mode {mode!r}",
                f"one of {', '.join(MODES)}",
            )
        )
    allowed = _object(node.parameters.get("options")).get("ipWhitelist")
    problems.extend(_bad_networks(f"{at}.options.ipWhitelist", allowed))
    return problems


def _bad_networks(at: str, allowed: Any) -> list[Problem]:
    problems = []
    if allowed is not None and not isinstance(allowed, str):
        return [Problem(at, "must be text", "addresses or networks, separated by commas")]
    for text in (allowed or "").split(","):
        try:
            if text.strip():
                ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            problems.append(
                Problem(at, f"{text.strip()!r} is neither an address nor a network", "10.0.0.0/8")
            )
    return problems


def _same_path_twice(found: Triggers) -> None:
    seen: dict[str, str] = {}
    for route in found.webhooks:
        claim = claim_of(route)
        if claim in seen:
            found.problems.append(
                Problem(
                    "nodes",
                    f"the webhooks {seen[claim]!r} and {route.node!r} both take {claim}",
                    "give one of them another path or method",
                )
            )
        seen[claim] = route.node


def _object(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}
