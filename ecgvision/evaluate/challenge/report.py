"""PhysioNet Challenge scores of a run, from its predictions table alone.

    python -m ecgvision.evaluate.challenge.report runs/vizecg/RUN_ID/predictions.parquet

Temperature and thresholds are fitted for the Challenge metric on the rows of the split "val". With
these, the rows of the split "test" are scored.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ecgvision.core.arguments import COUNT
from ecgvision.core.command import command
from ecgvision.core.command_options import check_table_file
from ecgvision.core.errors import DataError

if TYPE_CHECKING:  # slow to import, as all that the functions below do
    import pandas as pd

    from ecgvision.evaluate.challenge.scores import Challenge


def challenge_of(table: pd.DataFrame) -> Challenge:
    """Return the Challenge whose classes are the labels of the table, in the same order.

    Raises:
        DataError: if the labels are not a Challenge's.
    """
    from ecgvision.evaluate.challenge.scores import CHALLENGES
    from ecgvision.evaluate.predictions import codes_of

    codes = codes_of(table)
    for challenge in CHALLENGES.values():
        if challenge.codes == codes:
            return challenge
    raise DataError(
        "these labels are not a Challenge's",
        value=codes,
        remedy=f"Train with data.labels one of {', '.join(CHALLENGES)}",
    )


def evaluate(table: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Compute the Challenge scores of every stream on its test rows.

    All layouts and artefacts of a stream are pooled, as in `ecgvision.evaluate.metrics.scores`.

    Args:
        table: a predictions table of a run with data.labels cinc2020 or cinc2021.
        draws: bootstrap draws over patients for the interval of the Challenge metric.
        seed: seed of the draws.

    Returns:
        {"challenge": name, "test": {stream: {"n", "challenge_metric": {"value", "ci95"},
        "accuracy", "macro_f1", "macro_f2", "macro_g2", "thresholds": {code: threshold}}}}.

    Raises:
        DataError: if the labels are not a Challenge's, or a stream lacks validation or test rows.
    """
    from ecgvision.evaluate import predictions
    from ecgvision.evaluate.challenge.points import fit_points
    from ecgvision.evaluate.challenge.scores import metric_interval, score
    from ecgvision.evaluate.metrics.bootstrap import patients_of
    from ecgvision.evaluate.predictions import logits_of, select, targets_of

    predictions.validate(table)
    challenge = challenge_of(table)
    streams: dict[str, Any] = {}
    for stream in table["stream"].unique():
        parts = {split: select(table, split=split, stream=stream) for split in ("val", "test")}
        for split, rows in parts.items():
            if rows.empty:
                raise DataError(
                    f"stream {stream} has no row of split {split}",
                    remedy=f"Check data.folds.{split}",
                )
        val, test = parts["val"], parts["test"]
        points = fit_points(logits_of(val), targets_of(val), challenge)
        called = points.decisions(points.probabilities(logits_of(test)))
        y = targets_of(test)
        scores = asdict(score(y, called, challenge))
        ci95 = metric_interval(y, called, patients_of(test), challenge, draws=draws, seed=seed)
        scores["challenge_metric"] = {
            "value": scores["challenge_metric"],
            "ci95": None if ci95 is None else list(ci95),
        }
        thresholds = dict(zip(points.codes, points.thresholds, strict=True))
        streams[str(stream)] = {"n": len(test), **scores, "thresholds": thresholds}
    return {"challenge": challenge.name, "test": streams}


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Print the scores as JSON; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m ecgvision.evaluate.challenge.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("predictions", help="a run's predictions.parquet")
    parser.add_argument("--draws", type=COUNT, default=1000, help="bootstrap draws (default 1000)")
    args = parser.parse_args(argv)
    check_table_file(args.predictions)
    from ecgvision.evaluate.predictions import load

    print(json.dumps(evaluate(load(args.predictions), draws=args.draws), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
