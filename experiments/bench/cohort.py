"""Benchmark of a cohort: how well simple features predict its labels, without wave shapes.

The baseline is logistic regression on heart rate, RR variability, QRS duration and each lead's
maximum, minimum and standard deviation. If it comes close to a network, the cohort says nothing
about reading ECGs. A network on the same fold should be at least 0.05 macro AUROC better.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.arguments import COUNT, SEED
from ecgvision.core.errors import DataError

Array = NDArray[np.float64]


def r_peaks(signal: Array, rate: float) -> NDArray[np.int64]:
    """Detect QRS complexes; returns the sample of each.

    They are peaks of the band-passed (5-25 Hz) energy of all leads, smoothed over 40 ms (after Pan
    and Tompkins 1985, who square one lead and smooth over 150 ms).

    Args:
        signal: (12, T) mV.
        rate: Hz.
    """
    from scipy.signal import butter, find_peaks, sosfiltfilt

    sos = butter(2, [5, min(25, 0.45 * rate)], "band", fs=rate, output="sos")
    energy = (sosfiltfilt(sos, signal, axis=1) ** 2).sum(axis=0)
    width = max(1, round(0.04 * rate))
    energy = np.sqrt(np.convolve(energy, np.ones(width) / width, "same"))
    height = 0.4 * np.percentile(energy, 98)
    return find_peaks(energy, height=height, distance=max(1, round(0.28 * rate)))[0]


def qrs_ms(signal: Array, rate: float, peaks: NDArray[np.int64]) -> float:
    """Return the QRS duration of the median beat in ms; 0 without a complete beat.

    The QRS lasts while the steepest lead's slope exceeds a tenth of its maximum, within 120 ms of
    the peak.
    """
    half = round(0.12 * rate)
    beats = [signal[:, p - half : p + half] for p in peaks if half <= p <= signal.shape[1] - half]
    if not beats:
        return 0.0
    slope = np.abs(np.diff(np.median(beats, axis=0), axis=1)).max(axis=0)
    steep = np.flatnonzero(slope > 0.1 * slope.max())
    return float((steep[-1] - steep[0] + 1) / rate * 1000)


def features(signal: NDArray[np.float32], rate: float) -> Array:
    """Return (39,) features of a record.

    They are heart rate per minute, SD of RR over mean RR, QRS in ms, and each lead's maximum,
    minimum and SD. Missing values count as 0 mV.
    """
    x = np.nan_to_num(signal.astype(np.float64))
    peaks = r_peaks(x, rate)
    rr = np.diff(peaks) / rate
    beat = [60 / rr.mean(), rr.std() / rr.mean()] if len(rr) else [0.0, 0.0]
    return np.concatenate(
        [[*beat, qrs_ms(x, rate, peaks)], x.max(axis=1), x.min(axis=1), x.std(axis=1)]
    )


def baseline(
    inputs: Array, targets: NDArray[np.uint8], train: NDArray[np.bool_], test: NDArray[np.bool_]
) -> list[float | None]:
    """Fit a logistic regression per class on `train`; returns its AUROC on `test`.

    None for a class without positives or without negatives in either part.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores: list[float | None] = []
    for y in targets.T:
        if any(len(np.unique(y[part])) < 2 for part in (train, test)):
            scores.append(None)
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        model.fit(inputs[train], y[train])
        scores.append(float(roc_auc_score(y[test], model.decision_function(inputs[test]))))
    return scores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, help="a packed store; without it a cohort is made")
    parser.add_argument("--records", type=COUNT, default=2000, help="of the cohort (default 2000)")
    parser.add_argument("--seed", type=SEED, default=0, help="of the cohort (default 0)")
    parser.add_argument("--labels", default="superdiagnostic", help="label scheme")
    parser.add_argument(
        "--train", type=COUNT, nargs="+", default=list(range(1, 9)), help="folds (default 1-8)"
    )
    parser.add_argument("--test", type=COUNT, nargs="+", default=[10], help="folds (default 10)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the baseline's AUROC, macro and per class.

    Raises:
        DataError: if no class has positives and negatives in both parts.
    """
    import tempfile

    if args.store is not None:
        return judge(args.store, args.labels, args.train, args.test)
    from data_prep.synthesize import synthesize

    with tempfile.TemporaryDirectory() as folder:
        path = synthesize(Path(folder) / "cohort", records=args.records, seed=args.seed, jobs=2)
        return judge(path, args.labels, args.train, args.test)


def judge(path: Path, labels: str, train_folds: list[int], test_folds: list[int]) -> dict[str, Any]:
    """Measure the baseline on one store."""
    from tqdm import tqdm

    from ecgvision.labels.schemes import get_scheme, targets
    from ecgvision.store.packed import Store

    store = Store(path)
    scheme = get_scheme(labels)
    y, labelled = targets(store.records, scheme)
    fold = store.records["fold"].fillna(0).to_numpy(np.int64)
    train = labelled & np.isin(fold, train_folds)
    test = labelled & np.isin(fold, test_folds)
    x = np.zeros((len(store), 39))
    for i in tqdm(np.flatnonzero(train | test), desc="features", unit="record"):
        x[i] = features(store.read(int(i)), store.rate)
    scores = baseline(x, y, train, test)
    judged = [s for s in scores if s is not None]
    if not judged:
        raise DataError("no class has positives and negatives in both parts", file=path,
                        remedy="Choose other folds or another label scheme")  # fmt: skip
    return {
        "train": int(train.sum()),
        "test": int(test.sum()),
        "macro_auroc": float(np.mean(judged)),
        "auroc": dict(zip(scheme.codes, scores, strict=True)),
        "positives": dict(zip(scheme.codes, y[test].sum(axis=0).tolist(), strict=True)),
    }
