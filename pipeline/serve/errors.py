"""How faults look to a caller: one JSON shape, never with what the caller had typed."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pipeline.serve.clickhouse import QueryFailed, Unavailable
from pipeline.serve.identify import Unreadable
from pipeline.serve.models import ErrorOut, Fault

RETRY_AFTER_S = 5


class ApiError(Exception):
    """An answer other than 200, with its code, and persons to choose from where there are several."""

    def __init__(self, status: int, code: str, message: str, persons: list[str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.fault = Fault(code=code, message=message, persons=persons)


def install(app: FastAPI) -> None:
    """Answer every fault of the API in the one shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(Unreadable, _unreadable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(QueryFailed, _query_failed)
    app.add_exception_handler(HTTPException, _http)


def _body(status: int, fault: Fault, headers: dict[str, str] | None = None) -> JSONResponse:
    content = ErrorOut(error=fault).model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, status, headers)


async def _api_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return _body(error.status, error.fault)


async def _unreadable(_: Request, error: Exception) -> JSONResponse:
    return _body(422, Fault(code="identifier_unreadable", message=str(error)))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(str(part) for part in fault['loc'][1:])}: {fault['msg']}" for fault in error.errors()]
    return _body(422, Fault(code="invalid_parameter", message="; ".join(faults)))


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return _body(503, Fault(code="unavailable", message=str(error)), {"Retry-After": str(RETRY_AFTER_S)})


async def _query_failed(_: Request, error: Exception) -> JSONResponse:
    hint = "are its tables of this version? `touchstream db migrate` brings them up to date"
    return _body(503, Fault(code="query_failed", message=f"{error}; {hint}"), {"Retry-After": str(RETRY_AFTER_S)})


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _body(error.status_code, Fault(code="http", message=error.detail), dict(error.headers or {}))
