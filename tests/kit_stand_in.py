"""A stand-in for a checkout of ecg-image-kit: the same files, functions and flags, tiny own code.

It draws one dark pixel a sample where the kit has its points (its rules in its own units), and
turns, crops and pads for real. Records named `dies…`, `hangs…`, `fails…`, `shifts…` and `full…`
do just that.
"""

from __future__ import annotations

from pathlib import Path

SCRIPT = """
import argparse, json, os, random, sys, time
import qrcode
from helper_functions import read_config_file
from extract_leads import get_paper_ecg
from HandwrittenText.generate import get_handwritten
from CreasesWrinkles.creases import get_creased
from ImageAugmentation.augment import get_augment
import numpy as np


class Coin:
    def __init__(self, p):
        self.p = p

    def rvs(self):
        return int(np.random.rand() < self.p)


def get_parser():
    p = argparse.ArgumentParser()
    for short, long in (("-i", "--input_file"), ("-hea", "--header_file"), ("-o", "--output_directory")):
        p.add_argument(short, long)
    p.add_argument("-st", "--start_index", type=int)
    p.add_argument("-se", "--seed", type=int, default=-1)
    p.add_argument("-r", "--resolution", type=int, default=200)
    p.add_argument("-ph", "--print_header", action="store_true")
    p.add_argument("-l", "--link", default="")
    p.add_argument("--config_file", default="config.yaml")
    p.add_argument("--full_mode", default="II")
    p.add_argument("--store_config", type=int, default=0)
    p.add_argument("--remove_lead_names", action="store_false", default=True)
    p.add_argument("--hws", type=float, default=0.2)
    for name, default in (("num_columns", -1), ("pad_inches", 0), ("standard_grid_color", 5),
                          ("x_offset", 30), ("y_offset", 30)):
        p.add_argument("--" + name, type=int, default=default)
    for short, name, default in (("-n", "num_words", 5), ("-ca", "crease_angle", 90),
                                 ("-nv", "num_creases_vertically", 10),
                                 ("-nh", "num_creases_horizontally", 10),
                                 ("-rot", "rotate", 0), ("-noise", "noise", 50)):
        p.add_argument(short, "--" + name, type=int, default=default)
    p.add_argument("-c", "--crop", type=float, default=0.01)
    for name, default in (("calibration_pulse", 1), ("random_grid_present", 1),
                          ("random_print_header", 0), ("random_bw", 0)):
        p.add_argument("--" + name, type=float, default=default)
    for name in ("random_resolution random_padding random_grid_color add_qr_code hw_text wrinkles "
                 "augment fully_random deterministic_offset deterministic_num_words "
                 "deterministic_angle deterministic_vertical deterministic_horizontal "
                 "deterministic_noise").split():
        p.add_argument("--" + name, action="store_true")
    return p


def run_single_file(args):
    name = args.encoding
    if name.startswith("dies"):
        os._exit(3)
    if name.startswith("hangs"):
        time.sleep(60)
    if name.startswith("fails"):
        raise KeyError("V7")
    if name.startswith("full"):
        raise OSError(28, "No space left on device")
    print("the kit talks")
    dpi = random.randint(50, args.resolution) if args.random_resolution else args.resolution
    pad = random.randint(0, args.pad_inches) if args.random_padding else args.pad_inches
    # its folders are found from the current one
    assert os.path.isdir("CreasesWrinkles")
    with open("scratch.txt", "w") as file:
        file.write(name)
    pages = get_paper_ecg(
        input_file=args.input_file, header_file=args.header_file,
        configs=read_config_file(os.path.join(os.getcwd(), args.config_file)),
        output_directory=args.output_directory, resolution=dpi, pad_inches=pad,
        add_lead_names=args.remove_lead_names, add_dc_pulse=Coin(args.calibration_pulse),
        add_bw=Coin(args.random_bw), show_grid=Coin(args.random_grid_present),
        add_print=Coin(1 if args.print_header else args.random_print_header),
        standard_colours=args.standard_grid_color, full_mode=args.full_mode,
        columns=args.num_columns, start_index=args.start_index, store_configs=args.store_config)
    for page in pages:
        with open(page[:-4] + ".json") as file:
            told = json.load(file)
        if args.hw_text:
            get_handwritten(page)
        if args.wrinkles:
            get_creased(page)
        if args.augment:
            noise = random.randint(1, args.noise)
            get_augment(page, args.output_directory, args.rotate, noise, args.crop, json_dict=told)
        told["augment"] = args.augment
        with open(page[:-4] + ".json", "w") as file:
            json.dump(told, file)
        if args.add_qr_code:
            qrcode.QRCode()
    return len(pages)
"""

PLOT = """
import os
import random
import numpy as np
from PIL import Image


def ecg_plot(ecg, configs, sample_rate, columns, rec_file_name, output_dir, resolution, pad_inches,
             lead_index, full_mode, store_text_bbox, full_header_file, units="", papersize="",
             style=None, show_lead_name=True, show_grid=False, show_dc_pulse=False,
             standard_colours=False, bbox=False, print_txt=False, json_dict=dict(), start_index=-1,
             store_configs=0, lead_length_in_seconds=10):
    width, height = int(11 * resolution), int(8.5 * resolution)
    json_dict.update(width=width, height=height)
    x_max, y_max = 11 * 0.2 * 25.4 / 5, 8.5 * 0.5 * 25.4 / 5
    across, up = 11 * resolution / x_max, 8.5 * resolution / y_max
    grey = int(255 * random.uniform(0, 0.2))
    picture = np.full((height, width, 4), 255, np.uint8)
    if show_grid:
        picture[::10, :, :3] = 250
    rows = -(-len(lead_index) // columns) + (full_mode != "None")
    row_height = y_max / (rows + 2)
    gap = np.floor((x_max - columns * lead_length_in_seconds) / 2 / 0.2) * 0.2
    gap += 0.2 if show_dc_pulse else 0
    names = configs["leadNames_12"] if len(lead_index) == 12 else lead_index
    places = [(n, n, i % columns * lead_length_in_seconds, row_height * (1.5 + i // columns))
              for i, n in enumerate(names)]
    if full_mode != "None":
        places.append((full_mode, "full" + full_mode, 0, row_height / 2 + 0.3))
    leads = []
    for name, key, start, base in places:
        t = np.arange(0, len(ecg[key]) / sample_rate, 1 / sample_rate)
        x, y = (t + start + gap) * across, height - (ecg[key] + base) * up
        if "shifts" in open(full_header_file).read():
            x = x + 3
        seen = np.isfinite(y) & (y >= 0) & (y < height)
        picture[np.floor(y[seen]).astype(int), np.floor(x[seen]).astype(int), :3] = grey
        one = {"lead_name": name, "start_sample": 0, "end_sample": len(t),
               "plotted_pixels": [[round(b, 2), round(a, 2)] for a, b in zip(x, y)]}
        if store_text_bbox:
            left, top = int(x[0]), int(height - base * up) + 20
            one["text_bounding_box"] = {0: [top, left], 1: [top, left + 9],
                                        2: [top + 9, left + 9], 3: [top + 9, left]}
        leads.append(one)
    json_dict["leads"] = leads
    pad = pad_inches * resolution
    picture = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), constant_values=255)
    Image.fromarray(picture).save(os.path.join(output_dir, rec_file_name + ".png"))
    return resolution * 5 / 25.4, resolution * 5 / 25.4
"""

AUGMENT = """
import random
import numpy as np
from PIL import Image
from imgaug import augmenters as iaa


def get_augment(input_file, output_directory, rotate=25, noise=25, crop=0.01, temperature=6500,
                bbox=False, store_text_bounding_box=False, json_dict=None):
    image = np.array(Image.open(input_file))[:, :, :3]
    seq = iaa.Sequential([iaa.Affine(rotate=random.randint(-rotate, rotate)),
                          iaa.AdditiveGaussianNoise(scale=(noise, noise)),
                          iaa.Crop(percent=random.uniform(0, crop)),
                          iaa.ChangeColorTemperature(temperature)])
    Image.fromarray(seq(images=[image])[0]).save(input_file)
    return input_file
"""

IMGAUG = """
import numpy as np
from . import augmenters

__version__ = "0"


def seed(value):
    augmenters.rng = np.random.default_rng(value)
"""

AUGMENTERS = """
import cv2
import numpy as np

rng = np.random.default_rng()


class Affine:
    def __init__(self, rotate):
        self.rotate = rotate

    def matrix(self, h, w):
        return np.vstack([cv2.getRotationMatrix2D((w / 2, h / 2), -self.rotate, 1), [0, 0, 1]])


class Crop:
    def __init__(self, percent):
        self.percent = percent

    def matrix(self, h, w):
        top, left = int(h * self.percent), int(w * self.percent)
        sx, sy = w / (w - 2 * left), h / (h - 2 * top)
        return np.array([[sx, 0, -left * sx], [0, sy, -top * sy], [0, 0, 1]])


class AdditiveGaussianNoise:
    def __init__(self, scale):
        self.scale = scale

    def matrix(self, h, w):
        return np.eye(3)


class ChangeColorTemperature(AdditiveGaussianNoise):
    pass


class Sequential:
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, images, keypoints):
        h, w = images[0].shape[:2]
        matrix = np.eye(3)
        for step in self.steps:
            matrix = step.matrix(h, w) @ matrix
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        image = cv2.warpAffine(images[0], (np.linalg.inv(half) @ matrix @ half)[:2], (w, h))
        noisy = image + rng.normal(0, 2, image.shape)
        points = np.array(keypoints[0]) @ matrix[:2, :2].T + matrix[:2, 2]
        return [np.clip(noisy, 0, 255).astype(np.uint8)], [[tuple(p) for p in points]]
"""

CREASES = """
import os
import random
import numpy as np
from PIL import Image


def get_creased(page):
    shades = os.listdir("CreasesWrinkles/wrinkles-dataset")
    shade = int(random.choice(shades).split(".")[0])
    picture = np.array(Image.open(page))
    Image.fromarray((picture[:, :, :3] * (shade / 255)).astype(np.uint8)).save(page)
    return page
"""

FILES = {
    "gen_ecg_image_from_data.py": SCRIPT,
    "ecg_plot.py": PLOT,
    "helper_functions.py": "import imgaug\n\ndef read_config_file(file):\n    return {}\n",
    "extract_leads.py": "raise ImportError('reads records at the wrong times')\n",
    "TemplateFiles/generate_template.py": "",
    "HandwrittenText/__init__.py": "",
    "HandwrittenText/generate.py": "import tensorflow\n",
    "CreasesWrinkles/__init__.py": "",
    "CreasesWrinkles/creases.py": CREASES,
    "CreasesWrinkles/wrinkles-dataset/200.txt": "",
    "CreasesWrinkles/wrinkles-dataset/180.txt": "",
    "ImageAugmentation/__init__.py": "",
    "ImageAugmentation/augment.py": AUGMENT,
    "imgaug/__init__.py": IMGAUG,
    "imgaug/augmenters.py": AUGMENTERS,
    "qrcode.py": "class QRCode:\n    pass\n",
}


def write_checkout(home: Path) -> Path:
    """Write the stand-in below `home` as in the repository, and return `home`."""
    for name, text in FILES.items():
        file = home / "codes/ecg-image-generator" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return home
