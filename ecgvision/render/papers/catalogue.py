"""Catalogue of papers: the styles and page attributes of real devices.

Documented facts are listed with their source. Everything else (millimetres, colours, inks, wording)
is our estimate from pages in common circulation, in the manner of a device and without any maker's
own artwork:

- formats of the Cardiovit family (4x3 with one rhythm lead at the foot and 1x12, both at 25 mm/s;
  lead groups, and averaged cycles as 2x6, at 50 mm/s): Schiller's service handbook 2.540037,
  section 3.3;
- names and units of measurements (P, QRS and T axes in degrees): Agilent's guide to its ECG
  analysis, table 3-3;
- standard sensitivity 10 mm/mV, and a lower one beside it where waves are large: Nihon Kohden's
  hints on recording;
- grids made of dots instead of lines: atlasofheartrhythms.com, page 2;
- Cabrera's order with -aVR: AHA/ACC/HRS recommendations of 2007.

Measurements in a header are random (see `header.invent`), and no paper prints a diagnosis, because
either would reveal the label to a network. Speed and gain belong to a paper and never to a
recording.
"""

from __future__ import annotations

from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import LAYOUTS
from ecgvision.render.papers.paper import TWELVE, Paper
from ecgvision.render.style import GRID_COLOURS, Style

A4 = (210.0, 297.0)
A4_UPRIGHT = (297.0, 210.0)

COMMON = ("3x4+II", *(name for name in TWELVE if name != "3x4+II"))
SINGLE = tuple(name for name in LAYOUTS if name.startswith("1x1:"))


def get_paper(name: str) -> Paper:
    """Return the paper of that name.

    Raises:
        ConfigError: if the name is not in `PAPERS`.
    """
    if name not in PAPERS:
        raise ConfigError("unknown style", value=name, remedy=f"Known: {', '.join(PAPERS)}")
    return PAPERS[name]


PAPERS: dict[str, Paper] = {
    "kit": Paper("the default page of ecg-image-kit", Style(), (*COMMON, *SINGLE)),
    "bw": Paper(
        "the black-and-white page of ecg-image-kit",
        Style(grid_rgb=GRID_COLOURS["bw"], ink=(0, 0, 0)),
        (*COMMON, *SINGLE),
    ),
    "plain": Paper(
        "a page without a grid, as figures in print",
        Style(grid=False, frame=False, ink=(0, 0, 0)),
        (*COMMON, *SINGLE),
    ),
    "muse": Paper(
        "GE MAC carts and MUSE: pink grid, ticks, names above, a block of measurements",
        Style(
            grid_rgb=((240, 140, 150), (250, 208, 212)), frame=False, ink=(15, 15, 20),
            trace_pt=0.7, pulse_pt=0.7, separator_pt=0.8, separator_mm=5.0, name_place="above",
            scale_words="{speed:g}mm/s\t{gain:g}mm/mV\t100Hz", scale_place="left",
            header="invented", header_column_mm=29.0, header_line_mm=4.6, note_pt=9.0,
            header_left_mm=6.0, font_pt=10.0,
            header_lines=(
                "ID:{id}\t\t{date}   {time}\t\t\tCardiology Department",
                "{age} yr\tVent. rate\t{rate} BPM\t\t\tUnconfirmed",
                "{sex}\tPR interval\t{pr} ms",
                "\tQRS duration\t{qrs} ms",
                "\tQT/QTc\t{qt}/{qtc} ms",
                "\tP-R-T axes\t{p_axis}  {r_axis}  {t_axis}\t\t\tReferred by:",
            ),
        ),
        ("3x4+II", "3x4+V1+II+V5", "3x4+II+V1", "6x2"),
        {"margins_mm": (40.0, 12.0)},
    ),
    "pagewriter": Paper(
        "Philips PageWriter: orange-red grid, values in a column, limb and chest gain at the foot",
        Style(
            grid_rgb=((235, 130, 100), (248, 205, 190)), ink=(0, 0, 0), trace_pt=0.6,
            pulse_pt=0.6, separator_pt=0.6, separator_mm=8.0, name_place="above", font_pt=10.0,
            frame=False, note_pt=8.0, header="invented", header_column_mm=20.0, header_line_mm=4.2,
            header_left_mm=8.0,
            scale_words=(
                "Speed: {speed:g} mm/sec\tLimb: {gain:g} mm/mV\tChest: {gain:g} mm/mV"
                "\tF 60~ 0.15-100 Hz"
            ),
            scale_place="right",
            header_lines=(
                "{id}\t\t{date} {time}",
                "{age} Years\t{sex}\t\t\tUnconfirmed Diagnosis",
                "",
                "Rate\t{rate}", "PR\t{pr}\t--AXIS--", "QRSD\t{qrs}\tP\t{p_axis}",
                "QT\t{qt}\tQRS\t{r_axis}", "QTc\t{qtc}\tT\t{t_axis}",
            ),
        ),
        ("3x4+II", "3x4+V1+II+V5", "3x4", "6x2", "12x1"),
        {"margins_mm": (40.0, 12.0)},
    ),
    "eli": Paper(
        "Mortara ELI and laser printouts: a millimetre grid of dots, one typeface of fixed width",
        Style(
            grid_rgb=((205, 120, 120), (200, 110, 110)), grid_pt=(0.4, 0.8), minor="dots",
            frame=False, ink=(0, 0, 0), trace_pt=0.8, pulse_pt=0.8, separators=False,
            name_place="above", font="mono", font_pt=9.0, note_pt=8.0,
            scale_words="{speed:g} mm/s\t{gain:g} mm/mV\t0.05-150 Hz", scale_place="right",
            header="invented", header_left_mm=5.0, header_column_mm=60.0, header_line_mm=4.2,
            header_lines=(
                "ID: {id}\tRATE    {rate} BPM\t{date} {time}",
                "AGE {age}\tPR      {pr} ms\tReviewed by:",
                "{sex}\tQRS     {qrs} ms",
                "\tQT/QTc  {qt}/{qtc} ms",
                "\tP/QRS/T {p_axis}/{r_axis}/{t_axis}",
            ),
        ),
        ("3x4+II", "3x4+II+V1", "6x2", "12x1"),
        {"margins_mm": (34.0, 14.0)},
    ),
    "cardiovit": Paper(
        "Schiller Cardiovit: thermal A4, blue-black ink, names before the pulse, no separators",
        Style(
            grid_rgb=((244, 150, 130), (251, 214, 205)), paper_rgb=(253, 250, 246), frame=False,
            ink=(35, 30, 80), text_rgb=(35, 30, 80), trace_pt=0.85, pulse_pt=0.85,
            separators=False, name_place="left", font="sans bold", font_pt=9.0, note_pt=8.0,
            scale_words="{speed:g} mm/s\t{gain:g} mm/mV\t50 Hz 0.05-35 Hz", scale_place="left",
            header="invented", header_left_mm=5.0, header_column_mm=70.0, header_line_mm=4.2,
            header_lines=(
                "{id}\t{date} {time}\tHR {rate} /min",
                "{age} years, {sex}\tPQ {pr} ms   QRS {qrs} ms\tQT {qt} ms   QTc {qtc} ms",
            ),
        ),
        ("12x1", "6x2", "3x4+II"),
        {"paper_mm": A4, "margins_mm": (22.0, 12.0)},
    ),
    "cardiovit50": Paper(
        "the same at 50 mm/s: two columns of six, half of the time",
        Style(
            grid_rgb=((244, 150, 130), (251, 214, 205)), paper_rgb=(253, 250, 246), frame=False,
            ink=(25, 25, 60), text_rgb=(25, 25, 60), trace_pt=0.8, pulse_pt=0.8,
            separators=False, name_place="left", font="sans bold", font_pt=9.0, note_pt=8.0,
            scale_words="{speed:g} mm/s\t{gain:g} mm/mV\t50 Hz 0.05-150 Hz", scale_place="left",
            header="invented", header_left_mm=5.0, header_line_mm=4.2,
            header_lines=("{id}\t{date} {time}",),
        ),
        ("6x2", "6x2+II"),
        {"paper_mm": A4, "margins_mm": (16.0, 12.0), "speed": 50.0, "seconds": 5.0},
    ),
    "cardiofax": Paper(
        "Nihon Kohden Cardiofax: two columns of six at half gain, filters spelled out",
        Style(
            grid_rgb=((120, 185, 140), (200, 228, 206)), frame=False, ink=(10, 10, 10),
            trace_pt=0.55, pulse_pt=0.55, separator_pt=0.5, separator_mm=4.0, name_place="above",
            font_pt=8.0, note_pt=8.0,
            scale_words="{gain:g} mm/mV\t{speed:g} mm/s\tFilter: H50 d 100 Hz", scale_place="head",
            header="invented", header_left_mm=5.0, header_column_mm=52.0, header_line_mm=4.0,
            header_lines=(
                "{date} {time}\tHeart rate {rate} bpm",
                "ID: {id}\tPR int {pr} ms\tQRS dur {qrs} ms",
                "{sex} {age}\tQT/QTc {qt}/{qtc} ms\tP/QRS/T {p_axis}/{r_axis}/{t_axis}",
            ),
        ),
        ("6x2", "12x1", "6x2+II"),
        {"paper_mm": A4, "margins_mm": (20.0, 8.0), "gain": 5.0},
    ),
    "cardimax": Paper(
        "Fukuda Denshi CardiMax: the rhythm strip above the other leads, blue grid",
        Style(
            grid_rgb=((130, 165, 215), (205, 220, 240)), frame=False, ink=(0, 0, 0), trace_pt=0.65,
            pulse_pt=0.65, separator_pt=1.0, separator_mm=3.0, name_place="above", font="serif",
            font_pt=9.0, note_pt=8.0,
            scale_words="{gain:g}mm/mV {speed:g}mm/s", scale_place="right",
            header="invented", header_left_mm=5.0, header_line_mm=4.2, header_column_mm=70.0,
            header_lines=(
                "No. {id}\t{date} {time}\tHR {rate}/min",
                "{sex} {age}\tR-R ---- ms\tQRS {qrs} ms",
            ),
        ),
        ("3x4+II", "6x2+II", "3x4+II+V1"),
        {"paper_mm": A4, "margins_mm": (22.0, 12.0), "strips_on_top": True},
    ),
    "se1200": Paper(
        "Edan SE and Contec ECG: wide thermal roll, heavy ink, one line of settings at the foot",
        Style(
            grid_rgb=((240, 120, 120), (250, 195, 195)), paper_rgb=(255, 252, 250), frame=False,
            ink=(20, 20, 35), text_rgb=(20, 20, 35), trace_pt=1.1, pulse_pt=1.1,
            separators=False, name_place="above", font="mono bold", font_pt=9.0, note_pt=8.0,
            scale_words="AC50  0.05Hz  35Hz  {speed:g}mm/s  {gain:g}mm/mV  V1.0",
            scale_place="left", header="invented", header_left_mm=5.0, header_column_mm=80.0,
            header_line_mm=4.2,
            header_lines=(
                "ID    : {id}\tHR      : {rate} bpm\tDate: {date} {time}",
                "Sex   : {sex}\tP/PR    : --/{pr} ms",
                "Age   : {age}\tQRS     : {qrs} ms",
                "\tQT/QTc  : {qt}/{qtc} ms",
            ),
        ),
        ("6x2+II", "3x4+II", "6x2", "12x1"),
        {"paper_mm": A4, "margins_mm": (26.0, 12.0)},
    ),
    "nordic": Paper(
        "Scandinavian pages: Cabrera's order at 50 mm/s",
        Style(
            grid_rgb=((238, 150, 90), (250, 218, 190)), frame=False, ink=(10, 10, 10),
            trace_pt=0.7, pulse_pt=0.7, separators=False, name_place="left", font_pt=10.0,
            note_pt=8.0, scale_words="{speed:g} mm/s\t{gain:g} mm/mV\t0.05-150 Hz",
            scale_place="left", header="invented",
            header_left_mm=5.0, header_lines=("{id}\t{date} {time}",),
        ),
        ("6x2:cabrera", "3x4:cabrera", "12x1:cabrera"),
        {"paper_mm": A4, "margins_mm": (16.0, 12.0), "speed": 50.0, "seconds": 5.0},
    ),
    "upright": Paper(
        "an office printer: A4 on end, grey grid of 5 mm only, as many seconds as fit",
        Style(
            grid_rgb=((190, 190, 190), (225, 225, 225)), minor="none", frame=True, ink=(0, 0, 0),
            trace_pt=0.6, pulse_pt=0.6, separators=False, name_place="above", font_pt=9.0,
            note_pt=9.0, scale_words="{speed:g} mm/s, {gain:g} mm/mV", scale_place="right",
            header="invented", header_left_mm=8.0, header_column_mm=95.0, header_line_mm=4.6,
            header_lines=(
                "Patient: {id}\tRecorded: {date} {time}",
                "{sex}, {age} years\tRate {rate}/min  PR {pr}  QRS {qrs}  QT {qt} ms",
            ),
        ),
        ("12x1", "6x2", "12x1:cabrera"),
        {"paper_mm": A4_UPRIGHT, "margins_mm": (24.0, 14.0), "seconds": 7.5},
    ),
    "viewer": Paper(
        "a printout of a record viewer: faint grey grid, thin laser lines, nothing measured",
        Style(
            grid_rgb=((200, 200, 200), (232, 232, 232)), frame=False, ink=(0, 0, 0), trace_pt=0.5,
            pulse=False, separators=False, name_place="above", font="sans bold", font_pt=9.0,
            note_pt=8.0, scale_words="{speed:g} mm/s  {gain:g} mm/mV", scale_place="right",
            header="invented",
            header_lines=("{id}\t{date} {time}", "Rate: --   PR: --   QRS: --   QT/QTc: --"),
            header_left_mm=10.0, header_line_mm=4.4,
        ),
        ("3x4+II", "3x4", "3x4+II+V1", "6x2", "6x2+II", "12x1"),
        {"margins_mm": (24.0, 12.0), "pulse": False},
    ),
    "double": Paper(
        "double gain for small complexes, grey dots",
        Style(
            grid_rgb=((150, 150, 150), (140, 140, 140)), grid_pt=(0.4, 0.8), minor="dots",
            frame=False, ink=(0, 0, 0), trace_pt=0.7, pulse_pt=0.7, separator_pt=0.7,
            separator_mm=5.0, name_place="above", font_pt=10.0, note_pt=8.0,
            scale_words="{speed:g}mm/s\t{gain:g}mm/mV\t40Hz", scale_place="left",
            header="invented", header_left_mm=5.0,
            header_lines=("ID: {id}\t{date}\t{time}",),
        ),
        ("3x4", "3x4+II", "3x4+II+V1"),
        {"margins_mm": (20.0, 12.0), "gain": 20.0},
    ),
    "strip": Paper(
        "a monitor's roll of 60 mm: one lead, settings in the first line",
        Style(
            grid_rgb=((235, 120, 120), (248, 200, 200)), frame=False, ink=(20, 20, 35),
            text_rgb=(20, 20, 35), trace_pt=0.9, pulse_pt=0.9, name_place="above", font="mono",
            font_pt=9.0, note_pt=8.0, scale_words="{speed:g} mm/s {gain:g} mm/mV",
            scale_place="head", header="invented", header_left_mm=5.0,
            header_lines=("{date} {time}   HR {rate}",),
        ),
        SINGLE[1:2] + SINGLE[:1] + SINGLE[2:],
        {"paper_mm": (60.0, 280.0), "margins_mm": (10.0, 6.0)},
    ),
}  # fmt: skip
"""All named papers."""
