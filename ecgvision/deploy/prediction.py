"""What a bundle predicts for one picture or record. Base install only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecgvision.deploy.documents import page_name, page_place
from ecgvision.deploy.open_bundle import AnyStudent
from ecgvision.deploy.predict_signal import Seen

if TYPE_CHECKING:  # of the training stack
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Prediction:
    """A bundle's prediction for one picture or record.

    Attributes:
        file: the path as given.
        page: (height, width) of the picture in pixels; None of a record, or if it could not be
            read.
        codes, names, thresholds: the bundle's labels and their thresholds, in its order.
        logits, probabilities, decisions: one value per label; empty if the picture could not be
            read.
        error: why it could not be read; None if it was.
        seen: what a network of signals was shown; None of a student that looks at the picture.
        number, pages: number of the page in its file, from 1, and how many that has.
    """

    file: str
    page: tuple[int, int] | None = None
    codes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    logits: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    decisions: tuple[bool, ...] = ()
    error: str | None = None
    seen: Seen | None = None
    number: int = 1
    pages: int = 1

    @property
    def name(self) -> str:
        """The file, and the page's number if the file has several."""
        return page_name(self.file, self.number - 1, self.pages)

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain JSON values by label, or the error of the picture."""
        values: dict[str, Any] = {"file": self.file} | page_place(self.number - 1, self.pages)
        if self.error is not None:
            return values | {"error": self.error}
        positive = [c for c, yes in zip(self.codes, self.decisions, strict=True) if yes]
        if self.page is not None:
            values["page"] = {"height": self.page[0], "width": self.page[1]}
        if self.seen is not None:
            values["read"] = self.seen.to_dict()
        return values | {
            "logits": dict(zip(self.codes, self.logits, strict=True)),
            "probabilities": dict(zip(self.codes, self.probabilities, strict=True)),
            "positive": positive,
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row per label: name, logit, probability, threshold, decision."""
        import pandas as pd

        return pd.DataFrame(
            {"name": self.names, "logit": self.logits, "probability": self.probabilities,
             "threshold": self.thresholds, "positive": self.decisions},
            index=pd.Index(self.codes, name="code"),
        )  # fmt: skip

    def plot(self) -> Figure:
        """Plot the probabilities as bars with their thresholds."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 0.6 + 0.35 * len(self.codes)), layout="constrained")
        axis = figure.subplots()
        places = range(len(self.codes))
        colours = ["tab:orange" if yes else "0.7" for yes in self.decisions]
        axis.barh(places, self.probabilities, color=colours)
        axis.plot(self.thresholds, places, "k|", markersize=14, label="threshold")
        axis.set(yticks=places, yticklabels=self.names, xlim=(0, 1), xlabel="probability")
        axis.invert_yaxis()
        axis.legend(frameon=False)
        return figure


def as_table(bundle: AnyStudent, answers: Sequence[Prediction]) -> pd.DataFrame:
    """Return predictions as a table with a row per file; see `systems.base.Run.predict`."""
    import pandas as pd

    rows = []
    for answer in answers:
        missing = (float("nan"),) * len(bundle.codes)
        called = [c for c, yes in zip(answer.codes, answer.decisions, strict=True) if yes]
        rows.append({
            "file": answer.file,
            **dict(zip(bundle.codes, answer.probabilities or missing, strict=True)),
            "positive": None if answer.error else ",".join(called), "error": answer.error,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["file", *bundle.codes, "positive", "error"])
