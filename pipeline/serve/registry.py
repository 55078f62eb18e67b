"""A read-only schema registry over HTTP, as Confluent's clients ask for one: the schemas of this installation's topics."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse

from pipeline.config import Settings
from pipeline.schema_answers import Refusal, SchemaAnswers
from pipeline.topics import subjects
from schemas.registry import MOST_BYTES

MEDIA: Final = "application/vnd.schemaregistry.v1+json"
PREFIX: Final = "/registry"
ALL_CONTEXTS: Final = ":*:"
"""What Confluent's clients say for all; there is one context here."""
_SUBJECT: Final = "cx.scores.v1-value"
_ASKED: Final = {"schema": '{"type":"record","name":"Score","namespace":"touchstream","fields":[...]}'}
_TOLD: Final = {"subject": _SUBJECT, "version": 1, "id": 5, **_ASKED}

router = APIRouter(prefix=PREFIX, tags=["registry"])


class RegistryResponse(JSONResponse):
    """JSON by the name that registries give it."""

    media_type = MEDIA


def install(app: FastAPI, settings: Settings) -> None:
    """Serve the registry under /registry."""
    app.state.schema_answers = SchemaAnswers(subjects(settings.topic_prefix))
    app.add_exception_handler(Refusal, _refused)
    app.include_router(router)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return RegistryResponse(error.body, error.status)


def _answers(request: Request) -> SchemaAnswers:
    found: SchemaAnswers = request.app.state.schema_answers
    return found


async def _body(request: Request) -> str:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Refusal(413, 413, f"a schema may have {MOST_BYTES} bytes")
    return body.decode("utf-8", errors="replace")


Answers = Annotated[SchemaAnswers, Depends(_answers)]
Body = Annotated[str, Depends(_body)]
SubjectIn = Annotated[str, Path(description="A topic's name and `-value`", examples=[_SUBJECT])]
VersionIn = Annotated[str, Path(description="A number, or `latest`", examples=["latest"])]


def _example(answer: Any, *codes: int, body: bool = False) -> dict[str, Any]:
    """How a route shows in OpenAPI: an answer, Confluent's error codes, and a schema as the request's body."""
    responses: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA: {"example": answer}}}}
    for code in codes:
        fault = {"error_code": code, "message": _FAULTS[code]}
        responses[int(str(code)[:3])] = {"description": _FAULTS[code], "content": {MEDIA: {"example": fault}}}
    schema = {"type": "object", "required": ["schema"], "properties": {"schema": {"type": "string"}}}
    content = {MEDIA: {"schema": schema, "example": _ASKED}}
    more = {"requestBody": {"required": True, "content": content}} if body else {}
    return {
        "response_class": RegistryResponse,
        "response_model": None,
        "responses": responses,
        "openapi_extra": more,
    }


_FAULTS: Final = {
    40401: "Subject not found.",
    40402: "Version not found.",
    40403: "Schema not found",
    42201: "Invalid schema",
    42202: "Invalid version",
    42205: "Read-only: schemas are files, a version is added there",
}


@router.get("/schemas/ids/{schema_id}", **_example(_ASKED, 40403))
def schema(answers: Answers, schema_id: Annotated[str, Path(examples=["5"])]) -> Any:
    """The schema under the id that a record begins with."""
    return RegistryResponse(answers.schema(schema_id))


@router.get("/schemas/types", **_example(["AVRO"]))
def types() -> Any:
    """The kinds of schemas that there are."""
    return RegistryResponse(["AVRO"])


@router.get("/subjects", **_example([_SUBJECT]))
def every_subject(
    answers: Answers,
    prefix: Annotated[str, Query(alias="subjectPrefix", description="Only those whose name begins so")] = ALL_CONTEXTS,
) -> Any:
    """Every subject: one for the values of each topic that carries Avro."""
    wanted = prefix.removeprefix(ALL_CONTEXTS)
    return RegistryResponse([subject for subject in answers.subjects if subject.startswith(wanted)])


@router.get("/subjects/{subject}/versions", **_example([1], 40401))
def versions(answers: Answers, subject: SubjectIn) -> Any:
    """The versions of a subject."""
    return RegistryResponse(answers.versions(subject))


@router.get("/subjects/{subject}/versions/{version}", **_example(_TOLD, 40402, 42202))
def version(answers: Answers, subject: SubjectIn, version: VersionIn) -> Any:
    """One version of a subject, with its id."""
    return RegistryResponse(answers.version(subject, version))


@router.post("/subjects/{subject}", **_example(_TOLD, 40403, 42201, body=True))
def look_up(answers: Answers, subject: SubjectIn, body: Body) -> Any:
    """The version of a subject that means the same as a schema."""
    return RegistryResponse(answers.look_up(subject, body))


@router.post("/subjects/{subject}/versions", **_example({"id": 5}, 42205, body=True))
def register(answers: Answers, subject: SubjectIn, body: Body) -> Any:
    """The id of a schema that the subject has; any other is refused, because this registry is read-only."""
    return RegistryResponse(answers.register(subject, body))


_Verbose = Annotated[str, Query(description="`true`: also where and why not")]


@router.post(
    "/compatibility/subjects/{subject}/versions/{version}", **_example({"is_compatible": True}, 40402, 42201, body=True)
)
def compatibility(
    answers: Answers, subject: SubjectIn, version: VersionIn, body: Body, verbose: _Verbose = "false"
) -> Any:
    """Whether a schema and a version of a subject can read each other's records."""
    return _compatible(answers.compatibility(subject, version, body), verbose)


@router.post("/compatibility/subjects/{subject}/versions", **_example({"is_compatible": True}, 40401, 42201, body=True))
def compatibility_with_all(answers: Answers, subject: SubjectIn, body: Body, verbose: _Verbose = "false") -> Any:
    """Whether a schema and every version of a subject can read each other's records."""
    return _compatible(answers.compatibility(subject, None, body), verbose)


def _compatible(found: dict[str, Any], verbose: str) -> RegistryResponse:
    if verbose.lower() != "true":
        del found["messages"]
    return RegistryResponse(found)


@router.get("/config", **_example({"compatibilityLevel": "FULL_TRANSITIVE"}))
def config(answers: Answers) -> Any:
    """What every new version keeps to: each version can read each other's records."""
    return RegistryResponse(answers.config())


@router.get("/config/{subject}", **_example({"compatibilityLevel": "FULL_TRANSITIVE"}, 40401))
def config_of(answers: Answers, subject: SubjectIn) -> Any:
    """The same for a subject."""
    return RegistryResponse(answers.config(subject))


@router.get("/mode", **_example({"mode": "READONLY"}))
def mode() -> Any:
    """That nothing is changed over HTTP."""
    return RegistryResponse({"mode": "READONLY"})


@router.api_route(
    "/{rest:path}", methods=["GET", "POST", "PUT", "DELETE", "PATCH"], include_in_schema=False, response_model=None
)
def nothing(request: Request) -> Any:
    """Any other address, and whatever would change something."""
    if request.method == "GET":
        raise Refusal(404, 404, "HTTP 404 Not Found")
    raise Refusal(405, 405, "HTTP 405: this registry is read-only, its schemas are files")
