"""Public ECG databases: where they are, and which of their files are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Source:
    """A database on PhysioNet, whose `SHA256SUMS.txt` lists its files.

    Attributes:
        title: what it is, in one line.
        licence: under which it is published.
        base: address of the folder that holds the files; may be overridden.
        folder: the folder that is packed, in the downloaded one.
        parts: prefixes of wanted files; empty takes all.
        rates: prefix of the files of each sampling rate in Hz, where a database has several.
    """

    title: ClassVar[str]
    licence: ClassVar[str]
    base: ClassVar[str]
    folder: ClassVar[str] = "."
    parts: ClassVar[tuple[str, ...]] = ()
    rates: ClassVar[Mapping[int, str]] = {}

    @classmethod
    def wants(cls, path: str, rates: tuple[int, ...]) -> bool:
        """Return whether a file is wanted.

        Args:
            path: relative to `base`.
            rates: wanted sampling rates; empty takes all.
        """
        if cls.parts and not path.startswith(cls.parts):
            return False
        other = [prefix for rate, prefix in cls.rates.items() if rates and rate not in rates]
        return not path.startswith(tuple(other))


class PtbXl(Source):
    title = "PTB-XL 1.0.3: 21,799 records of 18,869 patients, 100 and 500 Hz"
    licence = "CC BY 4.0 (Wagner et al. 2020)"
    base = "https://physionet.org/files/ptb-xl/1.0.3/"
    rates: ClassVar[Mapping[int, str]] = {100: "records100/", 500: "records500/"}


class Challenge2020(Source):
    title = "PhysioNet/CinC Challenge 2020, training records of six databases"
    licence = "CC BY 4.0"
    base = "https://physionet.org/files/challenge-2020/1.0.2/"
    folder = "training"


class Challenge2021(Source):
    title = "PhysioNet/CinC Challenge 2021, training records of eight databases"
    licence = "CC BY 4.0"
    base = "https://physionet.org/files/challenge-2021/1.0.3/"
    folder = "training"


class Cpsc2018(Challenge2020):
    title = "CPSC 2018, as the Challenge 2020 gives it"
    parts = ("training/cpsc_2018/",)


class Ludb(Source):
    title = "LUDB 1.0.1: 200 records with marked waves, 500 Hz"
    licence = "ODC-BY 1.0 (Kalyakulina et al. 2020)"
    base = "https://physionet.org/files/ludb/1.0.1/"


class MimicDemo(Source):
    title = "MIMIC-IV-ECG demo 0.1: 659 records of 92 patients, 500 Hz"
    licence = "ODbL 1.0"
    base = "https://physionet.org/files/mimic-iv-ecg-demo/0.1/"


class Code15(Source):
    """CODE-15% on Zenodo, whose record lists its files with MD5 sums."""

    title = "CODE-15%: 345,779 records of 233,770 patients, 400 Hz, HDF5 in zip files"
    licence = "CC BY 4.0 (Ribeiro et al. 2021)"
    base = "https://zenodo.org/api/records/4916206"


SOURCES: dict[str, type[Source]] = {
    "ptbxl": PtbXl, "cinc2020": Challenge2020, "cinc2021": Challenge2021, "cpsc2018": Cpsc2018,
    "ludb": Ludb, "mimic-iv-ecg-demo": MimicDemo, "code15": Code15,
}  # fmt: skip
"""Databases by name."""
