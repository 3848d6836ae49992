"""Shapes of answers, for the OpenAPI description. Answers are made in `work` and not converted."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Error(BaseModel):
    """What is wrong, and what to do."""

    code: str = Field(description="one of the codes of this description", examples=["too_large"])
    message: str
    remedy: str = ""


class Failure(BaseModel):
    """An answer that is an error."""

    error: Error
    request: str = Field("", description="id of the request, as in the audit line")


class PagePrediction(BaseModel):
    """Answer to one page: either an error, or probabilities."""

    page_number: int
    error: Error | None = None
    page: dict[str, int] | None = Field(None, description="height and width in pixels")
    logits: dict[str, float] | None = None
    probabilities: dict[str, float] | None = None
    positive: list[str] | None = Field(None, description="labels at or above their threshold")


class Predictions(BaseModel):
    """Answer to a file: one entry a page."""

    bundle: str
    pages: int
    results: list[PagePrediction]


class Lead(BaseModel):
    """What was found of a lead."""

    confidence: float
    seconds: float
    expected_error_mv: float | None = None


class PageReading(BaseModel):
    """Reading of one page: either an error, or leads; further parts as `include` asks."""

    page_number: int
    error: Error | None = None
    rate: float | None = Field(None, description="Hz")
    samples: int | None = None
    confidence: float | None = None
    gain_mm_per_mv_at_25_mm_per_s: float | None = None
    gain_confidence: float | None = None
    layout: dict[str, object] | None = None
    leads: dict[str, Lead] | None = None
    labels: dict[str, object] | None = Field(None, description="probabilities and positive labels, "
                                             "or an error")  # fmt: skip
    signal: dict[str, list[float | None]] | None = Field(None, description="mV, null: not printed")
    page: dict[str, object] | None = Field(None, description="flat page and places of traces")
    wfdb: str | None = Field(None, description="base64 of a zip of ecg.hea and ecg.dat")
    csv: str | None = Field(None, description="base64")
    pdf: str | None = Field(None, description="base64")


class Readings(BaseModel):
    """Answer to a file: one entry a page."""

    bundle: str
    pages: int
    results: list[PageReading]


class Model(BaseModel):
    """What this server runs."""

    version: str
    reader: str = Field(description="id of the page reader")
    student: str | None = Field(description="id of the student of labels; null: none")
    labels: dict[str, str]
    thresholds: dict[str, float]
    learned_from: str | None
    intended_use: str
    limits: dict[str, int]
    files: list[str]
