"""The OpenAPI 3.1 document, generated from the endpoints' table and their Structs."""

from http import HTTPStatus
from typing import Any

import msgspec

from penstock.gateway.api.endpoint import Endpoint
from penstock.gateway.problems import ProblemDetails

_ALWAYS = (401, 503)
_REFERENCE = "#/components/schemas/{name}"


def document(endpoints: tuple[Endpoint, ...], version: str) -> dict[str, Any]:
    """Everything that the API offers, for programs."""
    kinds = [
        kind
        for endpoint in endpoints
        for kind in (endpoint.response, endpoint.query, endpoint.body)
        if kind not in (None, Any)
    ]
    schemas, components = msgspec.json.schema_components(
        [*kinds, ProblemDetails], ref_template=_REFERENCE
    )
    by_kind = dict(zip(map(id, [*kinds, ProblemDetails]), schemas, strict=True))
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        operations = paths.setdefault(f"/api/v1{endpoint.path}", {})
        operations[endpoint.method.lower()] = _operation(endpoint, by_kind, components)
    queries = {e.query.__name__ for e in endpoints if e.query is not None}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock", "version": version},
        "paths": paths,
        "security": [{"owner": []}],
        "components": {
            # Queries are spread into parameters, so nothing refers to their schemas.
            "schemas": {k: v for k, v in components.items() if k not in queries},
            "securitySchemes": {"owner": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(
    endpoint: Endpoint, schemas: dict[int, dict[str, Any]], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.tag}.{endpoint.handler.__name__}",
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint, components)],
        "responses": _responses(endpoint, schemas),
    }
    if endpoint.body is not None:
        schema = {"type": "object"} if endpoint.body is Any else schemas[id(endpoint.body)]
        operation["requestBody"] = {
            "required": not endpoint.body_is_optional,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]


def _query_parameters(endpoint: Endpoint, components: dict[str, Any]) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    properties = components[endpoint.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _responses(endpoint: Endpoint, schemas: dict[int, dict[str, Any]]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": HTTPStatus(endpoint.status).phrase}
    if endpoint.streams:
        done["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    elif endpoint.response is not None:
        done["content"] = {"application/json": {"schema": schemas[id(endpoint.response)]}}
    problem = {"application/problem+json": {"schema": schemas[id(ProblemDetails)]}}
    responses = {str(endpoint.status): done}
    full = () if endpoint.method == "GET" else (507,)
    for status in sorted({*endpoint.problems, *_ALWAYS, *full}):
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": problem}
    return responses
