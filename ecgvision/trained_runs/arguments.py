"""Arguments of `ecgvision evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecgvision.core.arguments import COUNT, GAIN, SEED, SPEED, number
from ecgvision.evaluate.assessment.settings import (
    POLICIES,
    PREVALENCES,
    SCALINGS,
    SUBGROUPS,
    AssessmentSettings,
)
from ecgvision.evaluate.fills.fills import FILLS
from ecgvision.shipped import NAME

SHARE = number(0, 1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ecgvision evaluate`."""
    parser.description = (
        "Judge trained runs on their test split, layout by layout and artefact by artefact, or the "
        "predictions of any other model (--predictions). No stream sees what the page does not "
        "show; temperature and thresholds come from validation records. A reader (+exp=read) is "
        "judged on what `digitize` would write: SNR, correlation, and errors of amplitudes, "
        "intervals and time."
    )
    parser.epilog = (
        "Examples: ecgvision evaluate runs/vizecg/RUN --layouts 3x4,3x4+II,6x2,12x1,random. "
        "ecgvision evaluate --predictions theirs.csv --labels ours.csv --patients patient. "
        "Writes a folder with report.html, metrics.json, predictions.parquet, tables/ and figures/,"
        " of a run in RUN/evaluations/; what has been judged before is shown again (--force repeats"
        " it). The package's own reader on other records: ecgvision evaluate shipped --store "
        "stores/own --artefacts clean,photo"
    )
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help=f"directories of finished runs; {NAME}: the package's reader",
    )
    parser.add_argument("--paired", action="store_true",
                        help="compare two runs or tables (PATH:stream@view) on the same "
                        "records")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="judge again")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    _add_views(parser.add_argument_group("what a run is judged on"))
    _add_tables(
        parser.add_argument_group(
            "predictions of another model, a bundle on real pictures, and pairs"
        )
    )
    _add_assessment(parser.add_argument_group("what is computed"))


def _add_views(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--layouts", default=(), type=names, metavar="A,B,…",
                       help="e.g. 3x4,3x4+II,6x2,12x1; random draws from six, any draws any; "
                       "V1.V2_V5.V6+II is written out; default: the run's own")  # fmt: skip
    group.add_argument("--artefacts", type=names, default=(), metavar="A,B,…",
                       help="e.g. clean,scan,photo; default: the run's own")  # fmt: skip
    group.add_argument("--robustness", action="store_true",
                       help="the test records in every layout (or --layouts) under every artefact "
                       "at three strengths, and other speeds, gains, resolutions and papers: a "
                       "heat map, and pages of the worst")  # fmt: skip
    group.add_argument("--images", type=names, default=(), metavar="DIR,…",
                       help="judge on pages that were drawn beforehand (data_prep.render_images, "
                       "e.g. by ecg-image-kit), a folder for each store; default: draw "
                       "them")  # fmt: skip
    group.add_argument(
        "--fill", choices=FILLS, help="fill what is missing before a network that reads signals"
    )
    group.add_argument("--store", default=(), type=names, metavar="A,B,…",
                       help="of a reader: draw pages of these stores' records instead of the "
                       "run's")  # fmt: skip
    group.add_argument("--pages", type=_pages, metavar="N|DIR",
                       help="of a reader: at most so many drawn pages, default: as the run; or a "
                       "folder of real pictures with a table of places, places.jsonl, to judge "
                       "on instead of drawn pages; also of a bundle of signals, behind the "
                       "package's reader")  # fmt: skip
    group.add_argument("--gain", type=GAIN, metavar="MM",
                       help="of a reader: mm/mV of all pages; default: as the run")  # fmt: skip
    group.add_argument("--speed", type=SPEED, metavar="MM",
                       help="of a reader: mm/s of all pages; default: as the run")  # fmt: skip
    group.add_argument("--accelerator", default="auto", choices=("auto", "cpu", "cuda", "mps"),
                       help="default %(default)s")  # fmt: skip


def _add_tables(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--predictions", type=Path, metavar="CSV",
                       help="a row for each record, with p_<code> probabilities (or z_<code> "
                       "logits, or columns named as the labels)")  # fmt: skip
    group.add_argument("--bundle", type=Path, metavar="DIR",
                       help="judge this bundle on the pictures of --scans, with its own operating "
                       "points; shipped-student: the package's own")  # fmt: skip
    group.add_argument("--scans", type=Path, metavar="DIR",
                       help="folder of pictures; --labels names them, with or without their "
                       "endings")  # fmt: skip
    group.add_argument("--check", action="store_true",
                       help="of --bundle: let the package's page reader refuse pictures that are "
                       "no readable page")  # fmt: skip
    group.add_argument("--labels", type=Path, metavar="CSV",
                       help="a row for each record, with y_<code> of 0 and 1 (or columns named as "
                       "the labels), and optionally split (val or test), fold, sex, age, device, "
                       "site; may be the same file")  # fmt: skip
    group.add_argument("--key", metavar="NAME",
                       help="column that names the record in both (default: record_id, else the "
                       "first of the predictions)")  # fmt: skip
    group.add_argument("--patients", metavar="NAME",
                       help="column that names the patient (default: patient_id if there is "
                       "one)")  # fmt: skip
    group.add_argument("--codes", type=names, default=(), metavar="A,B,…",
                       help="labels to judge (default: all, and the files must name the "
                       "same)")  # fmt: skip
    group.add_argument("--common", action="store_true",
                       help="judge the records that both files have; otherwise one that a file "
                       "lacks is an error")  # fmt: skip
    group.add_argument("--match", metavar="REGEX",
                       help="of --paired: pair records by this part of record_id (its first "
                       "group)")  # fmt: skip
    group.add_argument("--out", type=Path, metavar="DIR",
                       help="folder to write (default: evaluations/ and the name of what is "
                       "judged)")  # fmt: skip


def _add_assessment(group: argparse._ArgumentGroup) -> None:
    default = AssessmentSettings()
    group.add_argument("--policy", type=names, default=(), metavar="A,B,…",
                       help="what chooses thresholds on validation records: max_f1, youden, "
                       "'sensitivity>=0.95', 'specificity>=0.9', 'alerts<=50/1000' or fixed:0.5; "
                       "the first makes the decisions of all other tables (default: "
                       f"{','.join(POLICIES)}; without validation records fixed:0.5)"
                       .replace("%", "%%"))  # fmt: skip
    group.add_argument("--scaling", choices=SCALINGS, default=default.scaling,
                       help="how logits become probabilities, fitted on validation records "
                       "(default: %(default)s)")  # fmt: skip
    group.add_argument("--oracle", action="store_true",
                       help="also show thresholds tuned on the test records, named oracle_…, as "
                       "an upper bound")  # fmt: skip
    group.add_argument("--subgroups", type=names, default=(), metavar="A,B,…",
                       help="columns of the records that make subgroups (default: those of "
                       f"{', '.join(SUBGROUPS)} that are there)")  # fmt: skip
    group.add_argument("--prevalence", type=_shares, default=PREVALENCES, metavar="P,Q,…",
                       help="prevalences for predictive values (default: "
                       f"{','.join(map(str, PREVALENCES))})")  # fmt: skip
    group.add_argument("--draws", type=COUNT, metavar="N",
                       help="bootstrap draws of patients, of predictions and pairs (default: "
                       f"{default.draws}; a run has its own)")  # fmt: skip
    group.add_argument("--seed", type=SEED, metavar="N",
                       help="seed of these draws (default: "
                       f"{default.seed}; a run has its own)")  # fmt: skip


def names(text: str) -> tuple[str, ...]:
    """Parse names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def assessment_settings(args: argparse.Namespace) -> AssessmentSettings:
    """Return the settings that the arguments state.

    Raises:
        ConfigError: for an unknown policy.
    """
    from ecgvision.evaluate.metrics.policies import Policy

    for text in args.policy:
        Policy.parse(text)
    return AssessmentSettings(
        policies=args.policy, scaling=args.scaling, prevalences=args.prevalence,
        oracle=args.oracle, subgroups=args.subgroups, **draws_of(args),
    )  # fmt: skip


def draws_of(args: argparse.Namespace) -> dict[str, int]:
    """Return the number of draws and their seed, by default those of `AssessmentSettings`."""
    default = AssessmentSettings()
    return {"draws": args.draws or default.draws,
            "seed": default.seed if args.seed is None else args.seed}  # fmt: skip


def _pages(text: str) -> int | Path:
    return COUNT(text) if text.lstrip("+-").isdigit() else Path(text)


def _shares(text: str) -> tuple[float, ...]:
    return tuple(SHARE(word) for word in names(text))
