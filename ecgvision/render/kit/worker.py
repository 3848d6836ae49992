"""Draws pages with an ecg-image-kit checkout, under the checkout's own interpreter.

`process` starts this file as a script. It imports nothing of this project and uses nothing newer
than Python 3.8. It reads one JSON document per line and answers each with one line:

    {"checkout", "flags", "effects"}        -> {"ready": versions} or {"refused": why, "remedy"}
    {"name", "seed", "segments", "out", …}  -> {"page": what was drawn} or {"failed": why}

The kit's own `run_single_file` runs, with all its options. Only its function that reads a file is
replaced: it would cut columns other than four at the wrong time, drop short records and ignore
units. The caller provides the pieces of signal instead. Packages of effects that were not requested
are not imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import random
import sys
import time
import types
from typing import Any

import numpy as np

WEIGHTS = "HandwrittenText/pretrained/model-29.data-00000-of-00001"
WEIGHTS_BYTES = 100000  # a plain checkout has a pointer of 130 bytes instead
LANGUAGE = "en_core_sci_sm"
EFFECTS = {
    "handwriting": "HandwrittenText.generate",
    "wrinkles": "CreasesWrinkles.creases",
    "augment": "ImageAugmentation.augment",
    "qr": "qrcode",
}
PLOT_ARGUMENTS = (
    *("ecg", "configs", "full_header_file", "style", "sample_rate", "columns", "rec_file_name"),
    *("output_dir", "resolution", "pad_inches", "lead_index", "full_mode", "store_text_bbox"),
    *("show_lead_name", "show_dc_pulse", "papersize", "show_grid", "standard_colours", "bbox"),
    *("print_txt", "json_dict", "start_index", "store_configs", "lead_length_in_seconds"),
)


class Refused(Exception):
    """Something the checkout or its interpreter cannot do; the second argument is the remedy."""


class Effects:
    """Wrapper of `imgaug.augmenters` that records the drawn parameters and the affine map."""

    def __init__(self, real):
        self.real = real
        self.drawn = {}
        self.warp = None

    def __getattr__(self, name):
        return getattr(self.real, name)

    def Affine(self, **options):
        self.drawn["rotate"] = options["rotate"]
        return self.real.Affine(**options)

    def Crop(self, **options):
        self.drawn["crop"] = options["percent"]
        return self.real.Crop(**options)

    def Sequential(self, steps):
        inner = self.real.Sequential(steps)

        def run(images):
            h, w = images[0].shape[:2]
            corners = [(0.0, 0.0), (float(w), 0.0), (0.0, float(h))]
            images, moved = inner(images=images, keypoints=[corners])
            (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, p)) for p in moved[0]]
            self.warp = [
                [(x1 - x0) / w, (x2 - x0) / h, x0],
                [(y1 - y0) / w, (y2 - y0) / h, y0],
            ]
            return images

        return run


class Kit:
    """The kit's script, ready to draw."""

    def __init__(self, start):
        self.flags = start["flags"]
        self.job: dict[str, Any] = {}
        self.page: dict[str, Any] = {}
        sys.path[0] = start["checkout"]  # replaces the folder of this file
        listed = os.listdir
        # the kit picks textures by their index in this list, whose order differs between disks
        os.listdir = lambda *where: sorted(listed(*where))  # type: ignore
        wanted = set(start["effects"])
        _check_handwriting(start["checkout"], wanted)
        _leave_out(wanted, config="--config_file" in self.flags)
        self.plot = _load("ecg_plot")
        self.script = _load("gen_ecg_image_from_data")
        _check_interface(self.plot, self.script)
        if "--config_file" not in self.flags:
            self.script.read_config_file = lambda file: {}
        self.script.get_paper_ecg = self._paper
        self.effects: Any = None
        self.imgaug: Any = None
        if "augment" in wanted:
            self.imgaug = _load("imgaug")
            module: Any = sys.modules[EFFECTS["augment"]]
            self.effects = module.iaa = Effects(module.iaa)
        self.args(".", 100)  # unknown flags fail here and not at the first page

    def versions(self):
        names = ("numpy", "matplotlib", "PIL", "cv2", "imgaug", "tensorflow")
        found = {n: getattr(sys.modules[n], "__version__", "?") for n in names if n in sys.modules}
        found["python"] = ".".join(map(str, sys.version_info[:3]))
        return found

    def args(self, out, dpi):
        words = ["-i", "record.dat", "-hea", "record.hea", "-o", out, "-st", "0"]
        words += ["-r", str(dpi), "--store_config", "2"]
        try:
            return self.script.get_parser().parse_args(words + self.flags)
        except SystemExit:
            raise Refused(
                "the checkout's script does not take these flags: " + " ".join(self.flags),
                "Use the commit this project was written for",
            ) from None

    def draw(self, job):
        self.job = job
        random.seed(job["seed"])
        np.random.seed(job["seed"])  # noqa: NPY002  (the kit draws from the global state)
        if self.imgaug is not None:
            self.imgaug.seed(job["seed"])
            self.effects.drawn, self.effects.warp = {}, None
        args = self.args(job["out"], job["dpi"])
        args.header_file = os.path.join(job["out"], job["name"] + ".hea")
        args.encoding = job["name"]  # content of the QR code
        with open(args.header_file, "w") as file:
            file.write("\n".join(job["header"]) + "\n")
        start = time.process_time()
        if self.script.run_single_file(args) != 1:
            raise RuntimeError("the kit drew no page")
        self.page["cpu_seconds"] = time.process_time() - start
        with open(os.path.join(job["out"], "page.json")) as file:
            drawn = json.load(file)
        del drawn["leads"]
        if self.effects is not None and self.effects.warp is not None:
            drawn.update(self.effects.drawn)
            self.page["warp"] = self.effects.warp
        self.page["drawn"] = drawn
        return self.page

    def _paper(self, **asked):
        """Draw the page of a record and return the paths of the pages drawn.

        The kit calls it in place of its own function that reads a record and draws its page.
        """
        job = self.job
        pulse, bw, grid, header = [
            bool(asked[name].rvs()) for name in ("add_dc_pulse", "add_bw", "show_grid", "add_print")
        ]
        with np.load(job["segments"]) as file:
            ecg = {name: file[str(i)] for i, name in enumerate(job["names"])}
            strip = "None"
            if job["strip"] is not None:
                strip = job["strip"]
                ecg["full" + strip] = file[str(len(job["names"]))]
        configs: dict[str, Any] = {"tickLength": 8, "tickSize_step": 0.002}
        configs.update(asked["configs"])
        configs.update(
            paper_len=job["seconds"], abs_lead_step=job["seconds"],
            format_4_by_3=[[], [], [], []], leadNames_12=job["names"],
        )  # fmt: skip
        geometry: dict[str, Any] = {}
        x_grid, y_grid = self.plot.ecg_plot(
            ecg,
            configs=configs,
            full_header_file=asked["header_file"],
            style="bw" if bw else "colour",
            sample_rate=_countable(job["rate"], [len(v) for v in ecg.values()]),
            columns=job["columns"],
            rec_file_name="page",
            output_dir=job["out"],
            resolution=asked["resolution"],
            pad_inches=asked["pad_inches"],
            lead_index=job["names"],
            full_mode=strip,
            store_text_bbox=asked["add_lead_names"],
            show_lead_name=asked["add_lead_names"],
            show_dc_pulse=pulse,
            papersize="",
            show_grid=grid,
            standard_colours=asked["standard_colours"],
            bbox=False,
            print_txt=header,
            json_dict=geometry,
            start_index=0,
            store_configs=2,
            lead_length_in_seconds=job["seconds"] / job["columns"],
        )
        leads = geometry.pop("leads")
        parts = [np.array(one["plotted_pixels"], float).reshape(-1, 2) for one in leads]
        points = os.path.join(job["out"], "points.npy")
        np.save(points, np.concatenate(parts)[:, ::-1])
        geometry.update(
            leads=[], dc_pulse=pulse, bw=bw, gridlines=grid, printed_text=header,
            x_grid=round(x_grid, 3), y_grid=round(y_grid, 3),
        )  # fmt: skip
        png = os.path.join(job["out"], "page.png")
        with open(png[:-4] + ".json", "w") as file:
            json.dump(geometry, file)
        self.page = {
            "png": png,
            "points": points,
            "counts": [len(part) for part in parts],
            "labels": [_box(one.get("text_bounding_box")) for one in leads],
            "size": [geometry["height"], geometry["width"]],
            "dpi": asked["resolution"],
            "pad": asked["pad_inches"] * asked["resolution"],
            "pulse": pulse,
        }
        return [png]


def _box(corners):
    """Return left, top, right, bottom of the kit's corners in [y, x], or None."""
    if corners is None:
        return None
    points = [corners[key] for key in corners]
    ys, xs = [p[0] for p in points], [p[1] for p in points]
    return [min(xs), min(ys), max(xs), max(ys)]


def _countable(rate, lengths):
    """Return the rate, changed by less than 1e-11 of it if the kit's time axis would miscount.

    The kit's axis is `arange(0, n * step, step)`, which rounding can make one longer than n.
    """
    for i in range(50):
        for sign in (1, -1):
            near = rate * (1 + sign * i * 1e-13)
            step = 1.0 / near
            if all(len(np.arange(0, n * step, step)) == n for n in lengths):
                return near
    return rate


def _check_handwriting(checkout, wanted):
    if "handwriting" not in wanted:
        return
    weights = os.path.join(checkout, WEIGHTS)
    if not os.path.isfile(weights) or os.path.getsize(weights) < WEIGHTS_BYTES:
        raise Refused(
            "this checkout lacks the weights of the handwriting, " + WEIGHTS,
            "Fetch them with git lfs, or leave out --hw_text and --fully_random",
        )
    if importlib.util.find_spec(LANGUAGE) is None:
        raise Refused(
            "the kit's interpreter lacks the language model " + LANGUAGE,
            "Install it there, or leave out --hw_text and --fully_random",
        )


def _leave_out(wanted, config):
    """Prevent the import of packages that only unrequested effects need."""

    def blank(name, **contents):
        module = types.ModuleType(name)
        for key, value in contents.items():
            setattr(module, key, value)
        sys.modules[name] = module

    def never(*_, **__):
        raise RuntimeError("an effect ran that was not asked for")

    blank("extract_leads", get_paper_ecg=never)
    if "augment" not in wanted:
        blank("helper_functions", find_files=never, read_config_file=_read_yaml)
        blank(EFFECTS["augment"], get_augment=never)
    if "handwriting" not in wanted:
        blank(EFFECTS["handwriting"], get_handwritten=never)
    if "wrinkles" not in wanted:
        blank(EFFECTS["wrinkles"], get_creased=never)
    if "qr" not in wanted:
        blank("qrcode")
    if config:
        _load("yaml")


def _read_yaml(file):
    import yaml

    with open(file) as stream:
        return yaml.safe_load(stream)


def _load(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = getattr(error, "name", None) or str(error)
        raise Refused(
            "the kit's interpreter " + sys.executable + " cannot import " + missing
            + " (" + str(error) + ")",
            "Install the checkout's requirements there, or name another with --kit-python",
        ) from error  # fmt: skip
    except Exception as error:  # old packages raise various errors with new ones
        raise Refused(
            "importing " + name + " failed under " + sys.executable + ": "
            + type(error).__name__ + ": " + str(error),
            "Install the checkout's requirements there, or name another with --kit-python",
        ) from error  # fmt: skip


def _check_interface(plot, script):
    lacking = [n for n in ("get_parser", "run_single_file") if not hasattr(script, n)]
    if not hasattr(plot, "ecg_plot"):
        lacking.append("ecg_plot")
    else:
        code = plot.ecg_plot.__code__
        known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        lacking += ["ecg_plot(" + n + "=)" for n in PLOT_ARGUMENTS if n not in known]
    if lacking:
        raise Refused(
            "the checkout is of another version: it lacks " + ", ".join(lacking),
            "Use the commit this project was written for",
        )


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the kit's output must not be read as an answer

    def answer(document):
        answers.write(json.dumps(document) + "\n")
        answers.flush()

    try:
        kit = Kit(json.loads(sys.stdin.readline()))
    except Refused as refused:
        answer({"refused": refused.args[0], "remedy": refused.args[1]})
        return
    answer({"ready": kit.versions()})
    for line in iter(sys.stdin.readline, ""):
        try:
            answer({"page": kit.draw(json.loads(line))})
        except (Exception, SystemExit) as error:
            answer({"failed": type(error).__name__ + ": " + str(error)})


if __name__ == "__main__":
    main()
