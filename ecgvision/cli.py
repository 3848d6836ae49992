"""The command `ecgvision`. Slow imports are deferred until a subcommand needs them.

Exit codes: 0 done; 2 an error that the user can fix, with one line on stderr; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ecgvision import __version__
from ecgvision.core.arguments import GAIN, OUT_RATE, RESOLUTION, SPEED, THREADS
from ecgvision.core.command import command
from ecgvision.core.errors import ConfigError
from ecgvision.shipped import IMAGE_STUDENT_NAME, MODELS, NAME, STUDENT_NAME, resolve_bundle


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    args = parser(words).parse_args(words)
    return int(args.run(args) or 0)


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the argument parser.

    Subcommands that need the train extra get their arguments only if `words` starts with their
    name.
    """
    top = argparse.ArgumentParser(
        prog="ecgvision",
        description="Read printed ECGs, name their findings, and draw ECG pages.",
        epilog="Exit codes: 0 done, 2 wrong input (one line says what to do), 130 interrupted.",
    )
    top.add_argument("--version", action="version", version=f"ecgvision {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _add_predict(commands)
    _add_digitize(commands)
    _add_rectify(commands)
    render = commands.add_parser("render", help="draw a record as a page (needs the train extra)")
    if words[:1] == ["render"]:  # its arguments are defined in the renderer, a slow import
        import ecgvision.render.command as drawing

        drawing.add_arguments(render)
        render.set_defaults(run=drawing.run)
    evaluate = commands.add_parser(
        "evaluate", help="judge runs, or any model's predictions (needs the train extra)"
    )
    if words[:1] == ["evaluate"]:
        import ecgvision.trained_runs.arguments as arguments
        import ecgvision.trained_runs.command as evaluation

        arguments.add_arguments(evaluate)
        evaluate.set_defaults(run=evaluation.run)
    recalibrate = commands.add_parser(
        "recalibrate",
        help="fit a bundle's operating points on your own pictures (needs the train extra)",
    )
    if words[:1] == ["recalibrate"]:
        import ecgvision.trained_runs.recalibrate as recalibration

        recalibration.add_arguments(recalibrate)
        recalibrate.set_defaults(run=recalibration.run)
    export = commands.add_parser(
        "export", help="write a run's bundle to a folder, also on int8 (needs the train extra)"
    )
    if words[:1] == ["export"]:
        import ecgvision.trained_runs.export as exporting

        exporting.add_arguments(export)
        export.set_defaults(run=exporting.run)
    explain = commands.add_parser(
        "explain", help="draw what a signal network decided by (needs the train extra)"
    )
    if words[:1] == ["explain"]:
        import ecgvision.interpret.command as explanation

        explanation.add_arguments(explain)
        explain.set_defaults(run=explanation.run)
    serve = commands.add_parser(
        "serve", help="answer pictures on the web page and over HTTP (needs the serve extra)",
        description="Serve a web page and an HTTP interface that read pictures of pages, on this "
        "computer unless --host says otherwise. Research use only.",
        epilog="Example: ecgvision serve --port 8000",
    )  # fmt: skip
    if words[:1] == ["serve"]:
        import ecgvision.deploy.serve.command as serving

        serving.add_arguments(serve)
        serve.set_defaults(run=serving.run)
    _add_info(commands)
    return top


def _add_predict(commands: argparse._SubParsersAction) -> None:
    from ecgvision.records.command import add_record_options

    parser = commands.add_parser(
        "predict",
        help="name the findings of pages and records",
        description="Predict the labels of pages (PNG, JPEG, BMP, TIFF, WebP; PDF, DICOM and HEIC "
        "with the extra `files`), one answer a page, or of records (WFDB, CSV, npy, DICOM "
        "waveforms). The package's page reader reads a picture, and the leads that were read with "
        "confidence go to one of the package's two students: a network of signals, or an image "
        "student that sees them as they are printed. A picture of which too little can be read is "
        "refused. A star marks each "
        "label whose probability reaches its threshold, which was fitted on validation records.",
        epilog="Examples: ecgvision predict photo.jpg scans/; ecgvision predict record.hea; "
        "ecgvision predict --model direct photo.jpg; "
        "ecgvision predict --bundle runs/vizecg/RUN/bundle page.png --json",
    )
    parser.add_argument("files", nargs="+", metavar="FILE",
                        help="files of pages, folders of such, or records")  # fmt: skip
    student = parser.add_mutually_exclusive_group()
    student.add_argument("--model", choices=MODELS, default="waveform",
                         help="student of the package: `waveform`, a network of signals, or "
                         "`direct`, an image student (default: %(default)s)")  # fmt: skip
    student.add_argument("--bundle", metavar="DIR",
                         help="folder of the bundle of a run, in place of --model")  # fmt: skip
    parser.add_argument(
        "--check",
        action="store_true",
        help="for a bundle that looks at the picture itself, which has an answer to any picture: "
        "let the package's page reader look first, and refuse what is no readable ECG page "
        "(takes a second a page)",
    )
    add_record_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON document")
    form.add_argument("--csv", metavar="OUT", help="write a table of a row a page; interrupted, "
                      "the same command goes on where it was")  # fmt: skip
    parser.add_argument(
        "--threads",
        type=THREADS,
        default=0,
        metavar="N",
        help="threads of ONNX Runtime; 0 (default) takes one for each physical core",
    )
    parser.add_argument("--explain", metavar="DIR", help="write a figure of each page into this "
                        "folder: what speaks for its positive labels")  # fmt: skip
    parser.add_argument(
        "--expect-labels", metavar="HASH", help="refuse a bundle of any other label hash"
    )
    parser.set_defaults(run=_predict)


def _add_digitize(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "digitize",
        help="read the waveforms of pages",
        description="Read the waveforms of pages (PNG, JPEG, BMP, TIFF, WebP; PDF, DICOM and "
        "HEIC with the extra `files`) by the package's "
        "reader or another bundle: twelve leads in mV, missing where nothing was printed, and how "
        "sure the reader is of each. The paper is found by its grid, made flat and turned "
        "upright first, so the picture may be a photograph at any angle. Confidence is the "
        "probability that a sample was printed and is right to within 0.1 mV. A page that cannot "
        "be read is refused, and nothing is written of it.",
        epilog="Examples: ecgvision digitize scan.png --out record --figure over.png; "
        "ecgvision digitize scans/ --out records/ --figure figures/ --format csv",
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="files of pages, or folders of such"
    )
    parser.add_argument(
        "--bundle",
        metavar="DIR",
        default=NAME,
        help="folder of the bundle (default: %(default)s, the package's reader)",
    )
    parser.add_argument(
        "--out",
        metavar="RECORD",
        help="NAME.csv, or NAME for WFDB's NAME.hea and NAME.dat; of "
        "more than one picture: the folder of records named as they are",
    )
    parser.add_argument(
        "--figure",
        metavar="PICTURE",
        help="PNG or JPEG of the page with what was read over it; "
        "of more than one picture: the folder of such",
    )
    parser.add_argument(
        "--format", choices=("wfdb", "csv"), help="of records in a folder (default: wfdb)"
    )
    parser.add_argument(
        "--gain",
        type=GAIN,
        metavar="MM",
        help="mm/mV that the pages are printed at (default: as the reader finds)",
    )
    parser.add_argument(
        "--speed",
        type=SPEED,
        metavar="MM",
        help="mm/s that the pages of --gain are printed at (default: 25)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--threads",
        type=THREADS,
        default=0,
        metavar="N",
        help="threads of ONNX Runtime; 0 (default) takes one for each physical core",
    )
    parser.add_argument(
        "--rate", type=OUT_RATE, metavar="HZ", help="sampling rate of records (default: 500)"
    )
    parser.set_defaults(run=_digitize)


def _add_rectify(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "rectify",
        help="make the paper of a picture flat",
        description="Find the ECG paper in a picture by its grid, and write it flat and upright, "
        "as a scanner would have seen it.",
        epilog="Example: ecgvision rectify photo.jpg --out flat.png",
    )
    parser.add_argument("file", metavar="FILE", help="the picture")
    parser.add_argument("--out", required=True, metavar="PICTURE", help="PNG or JPEG to write")
    parser.add_argument(
        "--px-per-mm", type=RESOLUTION, default=8.0, metavar="N",
        help="pixels for each millimetre of paper (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--threads", type=THREADS, default=0, metavar="N",
                        help="threads of ONNX Runtime; 0 (default) takes one for each physical "
                        "core")  # fmt: skip
    parser.set_defaults(run=_rectify)


def _add_info(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "info",
        help="show versions, or what a bundle is",
        description="Show installed versions or, with --bundle, verify a bundle and show its card.",
    )
    parser.add_argument(
        "--bundle",
        metavar="DIR",
        help=f"folder of a bundle to verify and show; {NAME}: the package's reader; "
        f"{STUDENT_NAME}, {IMAGE_STUDENT_NAME}: its students",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=_info)


def _predict(args: argparse.Namespace) -> int:
    from ecgvision.deploy import predict_files
    from ecgvision.deploy.open_bundle import open_student
    from ecgvision.deploy.predict_signal import reader_for
    from ecgvision.records.option_names import COMMAND

    bundle = open_student(resolve_bundle(args.bundle or MODELS[args.model]), threads=args.threads,
                          label_hash=args.expect_labels)  # fmt: skip
    reader = reader_for(bundle, args.files, check=args.check, threads=args.threads)
    return predict_files.run(
        bundle, args.files, as_json=args.json, csv=args.csv, explain=args.explain, reader=reader,
        rate=args.rate, unit=args.unit, orientation=args.orientation, options=COMMAND,
    )  # fmt: skip


def _digitize(args: argparse.Namespace) -> int:
    from ecgvision.deploy import digitize_files
    from ecgvision.deploy.open_bundle import open_reader

    if args.gain is None and args.speed is not None:
        raise ConfigError("--speed says at what speed a --gain is printed", value=args.speed,
                          remedy="Give --gain too")  # fmt: skip
    gain = None if args.gain is None else args.gain / 10 * 25 / (args.speed or 25)
    bundle = open_reader(resolve_bundle(args.bundle), threads=args.threads)
    return digitize_files.run(
        bundle, args.files, out=args.out, figure=args.figure, form=args.format, as_json=args.json,
        gain=gain, rate=args.rate,
    )  # fmt: skip


def _rectify(args: argparse.Namespace) -> int:
    from ecgvision.deploy import rectify_file
    from ecgvision.deploy.flat_bundle import FlatReaderBundle

    bundle = FlatReaderBundle.open(resolve_bundle(NAME), threads=args.threads)
    return rectify_file.run(bundle, args.file, args.out, px_per_mm=args.px_per_mm,
                            as_json=args.json)  # fmt: skip


def _info(args: argparse.Namespace) -> int:
    from ecgvision.deploy import info

    folder = None if args.bundle is None else resolve_bundle(args.bundle)
    return info.run(folder, as_json=args.json)


if __name__ == "__main__":
    sys.exit(main())
