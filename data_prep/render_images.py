"""Draw every record of a store as pages: PNG, geometry and, on request, masks.

    python -m data_prep.render_images stores/ptbxl500 --out pages --layout 3x4+II --jobs 2
    python -m data_prep.render_images stores/ptbxl500 --out pages --layouts 3x4+II,6x2 --masks
    python -m data_prep.render_images stores/ptbxl500 --out kit --backend ecg-image-kit \\
        --kit ~/ecg-image-kit --kit-python ~/ecg-image-kit/.venv/bin/python -- --wrinkles

Train on the folder with `data.images=pages`. Repeat the same command to resume an interrupted run;
the result has the same bytes, whatever --jobs.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from tqdm import tqdm

from data_prep.backends import KitBackend, OurBackend, Record, about, page_seed
from ecgvision.core.errors import ConfigError, EcgVisionError
from ecgvision.core.layouts import LAYOUTS
from ecgvision.render.kit import flags
from ecgvision.render.kit.process import PAGE_SECONDS, KitError
from ecgvision.render.papers.named import STYLES
from ecgvision.store.packed import Store, check_store

if TYPE_CHECKING:
    from data_prep.drawn_pages import Folder

MAX_FIRST_FAILURES = 10  # our default: give up after this many failures without a single page
Backend = OurBackend | KitBackend
Skip = dict[str, Any]


def render(
    store: Store,
    out: Path,
    make: Callable[[], Backend],
    settings: dict[str, Any],
    *,
    jobs: int = 1,
    limit: int | None = None,
    progress: bool = True,
) -> tuple[int, list[Skip]]:
    """Draw the missing pages of a folder.

    Args:
        store: the store whose records are drawn.
        out: the folder; created if missing.
        make: builds a backend; called once in every worker.
        settings: everything that determines the pages, from `backend_of`.
        jobs: worker processes (for the kit: worker threads, each with a process of the kit).
        limit: draw only this many records, from the first.
        progress: show a progress bar.

    Returns:
        The number of pages in the folder, and the pages that failed.

    Raises:
        ConfigError: for invalid counts, a store without records, a folder with other pages, a
            full disk, a worker process that was killed, or a kit that draws no page at all.
    """
    from data_prep.drawn_pages import Folder

    check_counts(jobs, limit)
    records = min(len(store), limit or len(store))
    if records == 0:
        raise ConfigError("the store has no records", file=store.path)
    folder = Folder(out, store, {**settings, "records": records}, records)
    try:
        skipped = _fill(folder, make, settings, jobs, progress)
        pages = folder.finish(partial(page_seed, settings["seed"]), skipped)
    finally:
        folder.close()
    return pages, skipped


def check_counts(jobs: int, limit: int | None) -> None:
    """Check that the numbers of workers and records are positive.

    Raises:
        ConfigError: naming the option.
    """
    if jobs < 1:
        raise ConfigError("--jobs must be a whole number from 1", value=jobs)
    if limit is not None and limit < 1:
        raise ConfigError("--limit must be a whole number from 1", value=limit)


def _fill(
    folder: Folder, make: Callable[[], Backend], settings: dict[str, Any], jobs: int,
    progress: bool,
) -> list[Skip]:  # fmt: skip
    """Draw the missing pages; returns those that failed, sorted by row and layout."""
    pending = folder.pending()
    skipped: list[Skip] = []
    drawn = int((~pending).sum())
    todo = _todo(pending, settings["layouts"])
    in_threads = settings["backend"] != "ecgvision"
    with (
        _workers(jobs, in_threads, make, folder.store, folder.path) as (pool, work),
        tqdm(total=pending.size, initial=drawn, desc="render", unit="page",
             disable=not progress) as bar,
    ):  # fmt: skip
        for count, failed in _in_turn(pool, work, todo, jobs):
            bar.update(count)
            drawn += count - len(failed)
            skipped += failed
            if not drawn and len(skipped) >= MAX_FIRST_FAILURES:
                raise ConfigError(
                    f"the first {len(skipped)} pages all failed; the last: {skipped[-1]['why']}",
                    remedy="See what the kit says of one record with its own script",
                )
    skipped.sort(key=lambda s: (s["row"], settings["layouts"].index(s["layout"])))
    return skipped


def _todo(pending: NDArray[Any], layouts: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield each row with a missing page, and its missing layouts."""
    for row, missing in enumerate(pending):
        if missing.any():
            yield row, tuple(n for n, wanted in zip(layouts, missing, strict=True) if wanted)


def _in_turn(
    pool: Executor | None,
    work: Callable[[int, tuple[str, ...]], tuple[int, list[Skip]]],
    todo: Iterator[tuple[int, tuple[str, ...]]],
    jobs: int,
) -> Iterator[tuple[int, list[Skip]]]:
    """Yield the workers' results as they finish; at most 4 tasks per job are queued at a time."""
    if pool is None:
        for task in todo:
            yield work(*task)
        return
    waiting: set[Future[tuple[int, list[Skip]]]] = set()
    try:
        for task in todo:
            waiting.add(pool.submit(work, *task))
            if len(waiting) >= 4 * jobs:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
        for one in waiting:
            yield one.result()
    except BrokenProcessPool as error:
        raise ConfigError(
            "a worker process died, perhaps for want of memory",
            remedy="Issue the same command again, with fewer --jobs: it goes on where it stopped",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _workers(
    jobs: int, in_threads: bool, make: Callable[[], Backend], store: Store, out: Path
) -> Iterator[tuple[Executor | None, Callable[..., tuple[int, list[Skip]]]]]:
    """Yield a pool, or None to work in this process, and the function that draws a row."""
    if not in_threads and jobs > 1:
        spawn = get_context("spawn")
        with ProcessPoolExecutor(jobs, spawn, _begin, (make, store, out)) as pool:
            yield pool, _in_process
        return
    own, lock, local = ExitStack(), threading.Lock(), threading.local()

    def task(row: int, layouts: tuple[str, ...]) -> tuple[int, list[Skip]]:
        if not hasattr(local, "backend"):
            local.backend = make()
            with lock:
                own.callback(local.backend.close)
        return _draw(local.backend, store, out, row, layouts)

    with own:
        if jobs == 1:
            yield None, task
            return
        with ThreadPoolExecutor(jobs) as threads:
            yield threads, task


_here: dict[str, Any] = {}


def _begin(make: Callable[[], Backend], store: Store, out: Path) -> None:
    import cv2

    cv2.setNumThreads(1)  # parallelism comes from processes
    _here.update(backend=make(), store=store, out=out)


def _in_process(row: int, layouts: tuple[str, ...]) -> tuple[int, list[Skip]]:
    return _draw(_here["backend"], _here["store"], _here["out"], row, layouts)


def _draw(
    backend: Backend, store: Store, out: Path, row: int, layouts: tuple[str, ...]
) -> tuple[int, list[Skip]]:
    """Draw and write the pages of a record; returns how many were tried and which failed."""
    from data_prep.drawn_pages import write_page

    line = store.records.iloc[row]
    name = str(line["record_id"])
    record = Record(store.read(row), store.rate, name, about(line["age"], line["sex"]))
    failed: list[Skip] = []
    for layout in layouts:
        try:
            picture = backend(record, layout)
        except KitError as error:
            failed.append({"row": row, "record_id": name, "layout": layout, "why": str(error)})
        else:
            write_page(out, row, layout, picture.image, picture.geometry, picture.mask)
    return len(layouts), failed


# command line -------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Build the command-line parser, without the kit's flags after `--`."""
    top = argparse.ArgumentParser(
        prog="python -m data_prep.render_images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = top.add_argument
    names = ", ".join(n for n in LAYOUTS if not n.startswith("1x1"))
    add("store", metavar="STORE", type=Path, help="a packed store")
    add("--out", required=True, type=Path, metavar="DIR", help="folder of the pages")
    add("--layout", "--layouts", dest="layouts", default="3x4+II", metavar="NAMES",
        help=f"with commas: {names}, 1x1:<lead> (default %(default)s)")  # fmt: skip
    add("--dpi", type=float, default=200.0, help="pixels an inch (default %(default)g)")
    add("--style", default="kit", help=f"{', '.join(STYLES)} or mixed (default %(default)s)")
    add("--artefact", default="", metavar="NAME", help="scanner, fax, phone … over every page")
    add("--strength", type=float, default=1.0, help="of the artefact (default %(default)g)")
    add("--seed", type=int, default=0, help="what is left to chance (default %(default)s)")
    add("--masks", action="store_true", help="also the traces' coverage as grey PNGs")
    add("--points", action="store_true", help="the pixel of every sample in the geometry")
    add("--limit", type=int, metavar="N", help="the first N records only")
    add("--jobs", type=int, default=1, help="worker processes (default %(default)s)")
    add("--backend", choices=("ecgvision", "ecg-image-kit"), default="ecgvision", help="who draws")
    add("--kit", metavar="DIR", help="checkout of ecg-image-kit (or ECG_IMAGE_KIT_HOME)")
    add("--kit-python", metavar="FILE", help="its interpreter (or ECG_IMAGE_KIT_PYTHON)")
    add("--kit-timeout", type=float, default=PAGE_SECONDS, metavar="SECONDS",
        help="a page that takes longer is skipped (default %(default)g)")  # fmt: skip
    add("--help-kit", action=_KitHelp, nargs=0, help="show the kit's flags, given after `--`")
    return top


class _KitHelp(argparse.Action):
    def __call__(self, *_: Any) -> None:
        print(flags.parser().format_help(), end="")
        raise SystemExit(0)


def backend_of(
    args: argparse.Namespace, words: Sequence[str]
) -> tuple[Callable[[], Backend], dict[str, Any]]:
    """Check the options; returns a factory of backends and the settings that determine the pages.

    Args:
        words: the kit's flags after `--`.

    Raises:
        ConfigError, LayoutError: for options that are invalid or do not go together.
    """
    layouts = tuple(args.layouts.split(","))
    if len(set(layouts)) != len(layouts):
        raise ConfigError("a layout is named twice", value=args.layouts)
    if args.seed < 0:
        raise ConfigError("--seed must not be negative", value=args.seed)
    settings: dict[str, Any] = {
        "backend": args.backend,
        "layouts": list(layouts),
        "style": args.style,
        "dpi": args.dpi,
        "artefact": args.artefact,
        "strength": args.strength if args.artefact else None,
        "seed": args.seed,
        "masks": args.masks,
        "points": args.points,
        "kit": None,
    }
    if args.backend == "ecgvision":
        if words or args.kit or args.kit_python:
            raise ConfigError(
                "flags of ecg-image-kit mean nothing here",
                value=" ".join(words) or args.kit or args.kit_python,
                remedy="Add --backend ecg-image-kit",
            )
        ours = partial(
            OurBackend, layouts, args.style, args.dpi, args.seed, args.masks, args.points,
            args.artefact, args.strength,
        )  # fmt: skip
        ours()
        return ours, settings
    if args.style != "kit" or args.artefact:
        raise ConfigError(
            "--style and --artefact are of this project's renderer",
            value=args.artefact or args.style,
            remedy="Give the kit's own flags after `--`: see --help-kit",
        )
    given = flags.check(words)
    for warning in given.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    kits = partial(
        KitBackend, layouts, args.dpi, args.seed, args.masks, args.points, args.kit,
        args.kit_python, given, args.kit_timeout,
    )  # fmt: skip
    first = kits()
    try:
        first.check()
        settings["kit"] = {"digest": first.kit.digest, "flags": list(given.words)}
    finally:
        first.close()
    return kits, settings


def not_signal(store: Store, limit: int | None = None) -> list[str]:
    """Return one sentence for each kind of what was drawn as signal and is none.

    Args:
        store: the store whose records were drawn.
        limit: only this many records were drawn, from the first.
    """
    found: Counter[str] = Counter()
    for written in store.records["flags"][:limit]:
        kinds = {flag.partition(":")[0] for flag in json.loads(written)}
        found.update(() if "trimmed" in kinds else kinds & {"pulse", "padding"})
    titles = {"pulse": "a calibration pulse", "padding": "padding"}
    return [
        f"{found[kind]} records hold {title} at an end, which is drawn as signal; "
        "pack with --trim to cut it off"
        for kind, title in titles.items()
        if found[kind]
    ]


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    cut = words.index("--") if "--" in words else len(words)
    args = parser().parse_args(words[:cut])
    try:
        check_store(args.store)  # before anything slow is imported
        check_counts(args.jobs, args.limit)
        make, settings = backend_of(args, words[cut + 1 :])
        store = Store(args.store)
        pages, skipped = render(store, args.out, make, settings, jobs=args.jobs, limit=args.limit)
    except EcgVisionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here", file=sys.stderr)
        return 130
    print(f"{args.out}: {pages} pages of {settings['backend']}")
    for line in not_signal(store, args.limit):
        print(f"note: {line}")
    for one in skipped[:10]:
        print(f"skipped {one['record_id']} {one['layout']}: {one['why']}", file=sys.stderr)
    if skipped:
        print(f"{len(skipped)} pages skipped; images.json lists them", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
