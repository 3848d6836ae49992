"""Figures for Prometheus: load, refusals, and answers to be held against those of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ecgvision.core.layouts import LAYOUTS
from ecgvision.deploy.open_bundle import AnyStudent
from ecgvision.deploy.serve.pool import Gate, Workers
from ecgvision.deploy.serve.work import Answer

CONFIDENCE = tuple(tenth / 10 for tenth in range(1, 11))
SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The figures of one server.

    Drift shows where `ecgvision_positive_share` leaves `ecgvision_training_positive_share`, the
    share of each label in the records that the student was tested on, or where confidences fall.

    Args:
        workers, gate: whose state is told.
        student: whose labels are counted; None: none.
    """

    def __init__(self, workers: Workers, gate: Gate, student: AnyStudent | None) -> None:
        self.registry = CollectorRegistry()

        def named(
            kind: Any, name: str, text: str, labels: tuple[str, ...] = (), **more: Any
        ) -> Any:
            return kind(f"ecgvision_{name}", text, labels, registry=self.registry, **more)

        self._requests = named(Counter, "requests", "requests by address and status",
                               ("endpoint", "status"))  # fmt: skip
        self._seconds = named(Histogram, "request_seconds", "time of a request", ("endpoint",),
                              buckets=SECONDS)  # fmt: skip
        self._pages = named(Counter, "pages", "pages by address and result", ("endpoint", "result"))
        self._confidence = named(Histogram, "page_confidence", "confidence of pages that were read",
                                 buckets=CONFIDENCE)  # fmt: skip
        self._leads = named(Histogram, "page_leads", "leads found on a page", buckets=range(13))
        self._layouts = named(Counter, "layouts", "layouts of pages that were read", ("layout",))
        self._positive = named(Counter, "positive", "positive answers by label", ("label",))
        self._answered = 0
        self._counts: dict[str, int] = {}
        self._share = named(Gauge, "positive_share", "share of positive answers", ("label",))
        reference = named(Gauge, "training_positive_share", "share of positive records that the "
                          "student was tested on", ("label",))  # fmt: skip
        for label, share in reference_shares(student).items():
            reference.labels(label).set(share)
        named(Gauge, "requests_inside", "requests that wait or are worked on").set_function(
            lambda: gate.inside)  # fmt: skip
        ended = named(Gauge, "workers_ended", "workers that were ended", ("reason",))
        for reason in ("time", "memory"):
            ended.labels(reason).set_function(lambda reason=reason: workers.ended[reason])

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a finished request."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def answer(self, endpoint: str, answer: Answer) -> None:
        """Count the pages of an answer."""
        if not answer.summary:
            self._pages.labels(endpoint, (answer.codes or ["read"])[0]).inc()
        for page in answer.summary:
            self._pages.labels(endpoint, page.get("error", "read")).inc()
            if "confidence" in page:
                self._confidence.observe(page["confidence"])
                self._leads.observe(page["leads"])
                known = page["layout"] in LAYOUTS
                self._layouts.labels(page["layout"] if known else "other").inc()
            if "positive" in page:
                self._count_labels(page["positive"])

    def _count_labels(self, positive: list[str]) -> None:
        self._answered += 1
        for label in positive:
            self._counts[label] = self._counts.get(label, 0) + 1
            self._positive.labels(label).inc()
        for label, count in self._counts.items():
            self._share.labels(label).set(count / self._answered)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)


def reference_shares(student: AnyStudent | None) -> dict[str, float]:
    """Return the share of positive records of each label, as far as the bundle's card tells."""
    metrics = {} if student is None else student.card["metrics"]
    count, classes = metrics.get("n"), metrics.get("per_class")
    if not isinstance(count, (int, float)) or count <= 0 or not isinstance(classes, Mapping):
        return {}
    return {
        str(code): own["positives"] / count
        for code, own in classes.items()
        if isinstance(own, Mapping) and isinstance(own.get("positives"), (int, float))
    }
