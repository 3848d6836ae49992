"""The server's addresses."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from ecgvision import __version__
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.documents import SUFFIXES
from ecgvision.deploy.limits import Limits
from ecgvision.deploy.open_bundle import AnyStudent
from ecgvision.deploy.serve import work
from ecgvision.deploy.serve.api_page import api_page
from ecgvision.deploy.serve.audit import Audit, input_hash
from ecgvision.deploy.serve.guard import LOOPBACK, Guard
from ecgvision.deploy.serve.metrics import Metrics
from ecgvision.deploy.serve.pool import Gate, Workers
from ecgvision.deploy.serve.problems import Problem
from ecgvision.deploy.serve.schema import Failure, Model, Predictions, Readings
from ecgvision.deploy.serve.settings import MEGABYTE, ServeSettings
from ecgvision.deploy.serve.tokens import Tokens
from ecgvision.deploy.serve.uploads import FIELD, uploaded

STATIC = Path(__file__).parent / "static"
FILES = {"page.css": "text/css", "page.js": "text/javascript", "waveform.js": "text/javascript",
         "icon.svg": "image/svg+xml"}  # fmt: skip

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, of any kind that is read, or a form with a field `file`.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {"schema": {
                "type": "object", "required": [FIELD],
                "properties": {FIELD: {"type": "string", "format": "binary"}},
            }},
        },
    }
}  # fmt: skip
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": text}
    for status, text in {
        401: "a token is missing or wrong", 408: "the upload is too slow",
        413: "too large, or too many pages", 415: "a file of a kind that is not read",
        422: "damaged, unreadable, or over its time or memory",
        429: "too many requests of this client", 503: "all workers are busy",
    }.items()
}  # fmt: skip

Part = Literal["labels", "support", "signal", "page", "wfdb", "csv", "pdf"]


def make_app(
    settings: ServeSettings, tokens: Tokens, audit: Audit, workers: Workers | None = None
) -> FastAPI:
    """Return the application; its workers start with it and end with it.

    Args:
        settings: of the server.
        tokens: that are accepted.
        audit: receives a line for each file.
        workers: that answer; None: processes, as the settings say.

    Raises:
        BundleError: if the bundle cannot be opened.
    """
    models = work.open_models(settings.bundle)
    limits = Limits(bytes=settings.megabytes * MEGABYTE, pages=settings.pages,
                    pixels=settings.megapixels * MEGABYTE)  # fmt: skip
    workers = Workers(settings) if workers is None else workers
    gate = Gate(settings, workers.count)
    metrics = Metrics(workers, gate, models.student)
    about = _about(models, settings)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        try:
            await workers.warm()
            app.state.ready = True
            yield
        finally:
            app.state.ready = False
            workers.stop()

    app = FastAPI(
        title="ecgvision", version=__version__, docs_url=None, redoc_url=None, lifespan=life,
        description="Reads pictures of printed 12-lead ECGs. Research use only, not a medical "
        "device.",
    )  # fmt: skip
    app.state.ready = False
    app.add_middleware(Guard, local=settings.host in LOOPBACK)
    _add_errors(app, metrics)

    def check(request: Request) -> None:
        if not tokens.accept(request.headers.get("authorization")):
            raise Problem("unauthorized", "a bearer token is missing or wrong",
                          "Send the header Authorization: Bearer TOKEN")  # fmt: skip

    async def answer(
        request: Request, bundle: str, ask: Callable[[bytes], Awaitable[work.Answer]]
    ) -> Response:
        check(request)
        endpoint, began = request.url.path, time.monotonic()
        client = request.headers.get("authorization") or (
            request.client.host if request.client else "")  # fmt: skip
        told: dict[str, Any] = {"request": request.state.id, "endpoint": endpoint, "bundle": bundle}
        status = 500
        try:
            with gate.enter(client):
                data = await uploaded(request, settings)
                told |= {"input": input_hash(data), "bytes": len(data)}
                found = await ask(data)
            metrics.answer(endpoint, found)
            status = found.status
            told |= {"pages": found.pages, "answers": found.summary, "reasons": found.codes}
            return Response(found.body, status, media_type="application/json")
        except Problem as problem:
            status = problem.status
            told |= {"reasons": [problem.code]}
            raise
        finally:
            seconds = time.monotonic() - began
            audit.write(**told, status=status, milliseconds=round(1000 * seconds))

    no_student = {"model": Failure, "description": "this server has no student of labels"}

    @app.post("/v1/predict", openapi_extra=BODY,
              responses={200: {"model": Predictions}, 404: no_student, **_ERRORS})  # fmt: skip
    async def predict(
        request: Request,
        check: Annotated[bool, Query(description="for a student that looks at the picture "
                                     "itself: let the page reader look first")] = True,
    ) -> Response:  # fmt: skip
        """Probabilities of the labels of each page."""
        if models.student is None:
            raise Problem("no_labels", "this server has a page reader alone, which gives no labels",
                          "Start it with --bundle of a student")  # fmt: skip

        def ask(data: bytes) -> Awaitable[work.Answer]:
            return workers.run(work.predict, data, limits, check)

        return await answer(request, models.student.id, ask)

    @app.post("/v1/digitize", openapi_extra=BODY, responses={200: {"model": Readings}, **_ERRORS})
    async def digitize(
        request: Request,
        include: Annotated[list[Part] | None, Query(description="parts to return besides "
                           "confidences")] = None,
        gain: Annotated[float | None, Query(ge=0.01, le=1000, description="mm/mV at 25 mm/s; "
                        "otherwise as the reader finds")] = None,
        rate: Annotated[float | None, Query(ge=50, le=2000, description="Hz of signal and "
                        "records; otherwise 500")] = None,
    ) -> Response:  # fmt: skip
        """Waveforms of a page, and how sure the reader is of each."""
        parts = tuple(dict.fromkeys(include or ()))
        factor = None if gain is None else gain / 10

        def ask(data: bytes) -> Awaitable[work.Answer]:
            return workers.run(work.read, data, limits, parts, factor, rate)

        return await answer(request, models.reader.id, ask)

    @app.get("/v1/model", response_model=Model)
    async def model(request: Request) -> Any:
        """What this server runs, and its limits."""
        check(request)
        return about

    @app.get("/healthz", responses={200: {"description": "the server is alive"}})
    async def healthz() -> dict[str, str]:
        """Whether the server is alive."""
        return {"status": "alive"}

    @app.get("/readyz", responses={503: {"model": Failure}})
    async def readyz() -> dict[str, str]:
        """Whether the server takes files."""
        if not app.state.ready:
            raise Problem("busy", "the workers are starting or ending", retry_after=1)
        return {"status": "ready"}

    @app.get("/metrics", response_class=Response)
    async def figures(request: Request) -> Response:
        """Figures in Prometheus' text format."""
        check(request)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    _add_pages(app)
    return app


def _add_errors(app: FastAPI, metrics: Metrics) -> None:
    def reply(request: Request, problem: Problem) -> JSONResponse:
        headers = {"X-Request-Id": request.state.id}
        if problem.retry_after is not None:
            headers["Retry-After"] = str(problem.retry_after)
        if problem.code == "unauthorized":
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse({"error": problem.body(), "request": request.state.id},
                            problem.status, headers)  # fmt: skip

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> JSONResponse:
        return reply(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return reply(request, Problem("invalid_request", f"{where}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            return reply(request, Problem("not_allowed", "this address does not take this method"))
        if error.status_code == 404:
            return reply(request, Problem("not_found", "there is no such address", "See /docs"))
        return reply(request, Problem("invalid_request", str(error.detail)))

    @app.middleware("http")
    async def count(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        request.state.id = uuid.uuid4().hex
        began = time.monotonic()
        try:
            found = await go_on(request)
        except Exception as error:  # a fault of the program: named by its kind, without its text
            audit_line = f"internal error {type(error).__name__} in request {request.state.id}"
            print(audit_line, flush=True)
            found = reply(request, Problem("internal_error", "a fault of the server"))
        route = request.scope.get("route")
        metrics.request(getattr(route, "path", "other"), found.status_code,
                        time.monotonic() - began)  # fmt: skip
        found.headers["X-Request-Id"] = request.state.id
        return found


def _add_pages(app: FastAPI) -> None:
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> FileResponse:
        if name not in FILES:
            raise HTTPException(404)
        return FileResponse(STATIC / name, media_type=FILES[name])

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(api_page(app.openapi()))


def _about(models: work.Models, settings: ServeSettings) -> Model:
    student, reader = models.student, models.reader
    return Model(
        version=__version__, reader=reader.id, student=None if student is None else student.id,
        labels={} if student is None else dict(zip(student.codes, student.names, strict=True)),
        thresholds={} if student is None else dict(
            zip(student.codes, student.thresholds, strict=True)),
        learned_from=None if student is None else _learned_from(student),
        intended_use=str((reader if student is None else student).card["intended_use"]),
        limits={"megabytes": settings.megabytes, "pages": settings.pages,
                "megapixels": settings.megapixels, "seconds": settings.seconds},
        files=list(SUFFIXES),
    )  # fmt: skip


def _learned_from(student: AnyStudent) -> str:
    if isinstance(student, Bundle):
        return f"pages of {student.learned_from_text()}"
    return "12-lead records, partly hidden as pages hide them"
