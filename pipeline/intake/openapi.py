"""The intake's interface as an OpenAPI document, its schemas made from what the code itself reads and writes."""

from functools import cache
from importlib.metadata import version
from typing import Any, Final

import msgspec

from pipeline.events import Reason
from pipeline.intake.shape import shape_of
from pipeline.intake.verdicts import Answer, FaultAnswer

_REFUSALS: Final = {
    400: "The body as a whole cannot be read. It is kept among the rejected records.",
    401: "No such key, or it has expired.",
    403: "The key is not for pages of that origin.",
    408: "The body did not come in time.",
    413: "The body, or the number of its events, is too large.",
    415: "The body's media type or encoding is not one that is read here.",
    429: "The source sends more events a second than its key allows; `Retry-After` says when to go on.",
    503: "It is not certain that everything is stored. Send it all again: what was stored is known by its event ids.",
}
EXAMPLE: Final[dict[str, Any]] = {
    "event_id": "0199f1e2-7a01-7c3e-9f55-0d6c4be1a001",
    "event_type": "call.ended",
    "channel": "call",
    "occurred_at": "2026-03-01T08:00:00Z",
    "identifiers": [{"namespace": "customer", "value": "c-1042"}],
    "outcome": "resolved",
    "duration_ms": 184000,
}
SURVEY: Final[dict[str, Any]] = {
    "event_id": "0199f1e2-7a01-7c3e-9f55-0d6c4be1a002",
    "event_type": "survey.answered",
    "channel": "email",
    "occurred_at": 1772355600000,
    "identifiers": [{"namespace": "email", "value": "c.1042@example.com"}],
    "answer": {"question": "recommend", "metric": "nps", "scale_min": 0, "scale_max": 10, "value": 9},
}
_ANSWERED: Final[dict[str, Any]] = {
    "accepted": 1,
    "duplicate": 0,
    "rejected": 1,
    "events": [
        {"status": "accepted", "event_id": EXAMPLE["event_id"]},
        {
            "status": "rejected",
            "event_id": SURVEY["event_id"],
            "reason": "value_out_of_scale",
            "field": "answer.value",
            "expected": "0-10",
            "got": "11",
        },
    ],
}


@cache
def document() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    form = shape_of("touchpoint").form
    (touchpoint, answered, fault), components = msgspec.json.schema_components(
        [form, Answer, FaultAnswer], ref_template="#/components/schemas/{name}"
    )
    components["Verdict"]["properties"]["reason"] = {"enum": [None, *(reason.value for reason in Reason)]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "touchstream intake",
            "version": version("touchstream"),
            "description": "Touchpoints in; an event that is answered as accepted is stored, whatever happens after.",
        },
        "paths": {"/v1/touchpoints": {"post": _post(touchpoint, answered, fault)}, **_states(fault)},
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "query": {"type": "apiKey", "in": "query", "name": "key"},
            },
        },
        "security": [{"bearer": []}, {"header": []}, {"query": []}],
    }


def _post(touchpoint: dict[str, Any], answered: dict[str, Any], fault: dict[str, Any]) -> dict[str, Any]:
    one_or_many = {"oneOf": [touchpoint, {"type": "array", "items": touchpoint}]}
    examples = {
        "one": {"summary": "One touchpoint", "value": EXAMPLE},
        "several": {"summary": "Several, each judged by itself", "value": [EXAMPLE, SURVEY]},
    }
    text = {"schema": {"type": "string"}}
    return {
        "operationId": "sendTouchpoints",
        "summary": "Send one touchpoint or several",
        "description": "Answered when everything is stored. `source` follows from the key, `received_at` is stamped. Send again"
        " what was answered 503, or not at all, with the same event ids: nothing counts twice.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": one_or_many, "examples": examples},
                "text/plain": {**text, "example": _text(EXAMPLE)},
                "application/x-ndjson": {**text, "example": f"{_text(EXAMPLE)}\n{_text(SURVEY)}\n"},
                "application/avro": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "responses": {
            "202": _response("A verdict on each event, in their order.", answered, _ANSWERED),
            "422": _response("No event could be taken. All are kept among the rejected records.", answered),
            **{str(status): _refusal(status, why, fault) for status, why in _REFUSALS.items()},
        },
    }


def _text(event: dict[str, Any]) -> str:
    return msgspec.json.encode(event).decode()


def _response(why: str, schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": why, "content": {"application/json": content}}


def _refusal(status: int, why: str, fault: dict[str, Any]) -> dict[str, Any]:
    response = _response(why, fault)
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return response


def _states(fault: dict[str, Any]) -> dict[str, Any]:
    alive = _response("Yes.", {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]})
    not_ready = _refusal(503, "Kafka does not answer.", fault)
    return {
        "/healthz": {
            "get": {
                "operationId": "isAlive",
                "summary": "Is the process alive?",
                "security": [],
                "responses": {"200": alive},
            }
        },
        "/readyz": {
            "get": {
                "operationId": "isReady",
                "summary": "Would it take something now?",
                "security": [],
                "responses": {"200": alive, "503": not_ready},
            }
        },
    }
