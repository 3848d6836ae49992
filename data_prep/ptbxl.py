"""Pack PTB-XL (1.0.0 to 1.0.3) as a store.

Every column of `ptbxl_database.csv` is kept. `sex` 0 becomes male and 1 female. `age` is unchanged;
300 means "over 89". Folds are the official ones: 1-8 for training, 9 for validation, 10 for test
(Wagner et al. 2020, Sci Data 7:154).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_prep.chunks import OnError, Reading, pack_items
from data_prep.contents import Item
from data_prep.tables import identifier, number, parse_scp, read_table, text, whole_number
from ecgvision.core.errors import DataError
from ecgvision.records.recording import record_identity

DATABASE = "ptbxl_database.csv"
FILE_COLUMN = {500: "filename_hr", 100: "filename_lr"}
_NEEDED = ("ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold")
_OWN = {"patient_id", "age", "sex", "device", "site", "scp_codes", "strat_fold"}
_SEX = {"0": "male", "1": "female", "0.0": "male", "1.0": "female"}


def check_folder(root: str | Path) -> Path:
    """Return the path of the table in a PTB-XL folder.

    Raises:
        DataError: if `root` is missing, empty, or not PTB-XL's folder.
    """
    root = Path(root)
    remedy = f"Give the folder of PTB-XL that holds {DATABASE}, records100 and records500"
    if not root.is_dir():
        raise DataError("there is no such folder", file=root, remedy=remedy)
    if not any(root.iterdir()):
        raise DataError("the folder is empty", file=root, remedy=remedy)
    if not (root / DATABASE).is_file():
        raise DataError(
            f"this is not PTB-XL's folder: {DATABASE} is missing", file=root, remedy=remedy
        )
    return root / DATABASE


def check_rate(rate: float | None) -> int:
    """Return a sampling rate of PTB-XL (500 or 100 Hz) as an integer; None stands for the higher.

    Raises:
        DataError: for any other rate.
    """
    if rate is None:
        return max(FILE_COLUMN)
    if rate not in FILE_COLUMN:
        raise DataError("PTB-XL has no such rate", value=rate, remedy="Use 500 or 100")
    return int(rate)


def pack_ptbxl(
    root: str | Path,
    out: str | Path,
    *,
    rate: int = 500,
    jobs: int = 2,
    on_error: OnError = "stop",
    progress: bool = True,
    overwrite: bool = False,
    trim: bool = False,
) -> Path:
    """Pack PTB-XL at 500 or 100 Hz; `record_id` is `ptbxl/<ecg_id, 5 digits>`.

    Args:
        root: PTB-XL's folder.
        out: folder of the store.
        rate: 500 or 100 Hz.
        jobs: worker processes.
        on_error: "stop" at a record that cannot be read, or "skip" and report it.
        progress: show progress bars and the report.
        overwrite: replace an existing store.
        trim: cut padding and calibration pulses off the ends of records.

    Raises:
        DataError: if the folder or its table is not PTB-XL's, or record files are missing.
        RecordError: for a record that cannot be read, unless `on_error="skip"`.
        StoreError: if `out` exists and `overwrite` is not set.
    """
    check_rate(rate)
    table = read_table(check_folder(root), (*_NEEDED, FILE_COLUMN[rate]))
    items = [
        _item(row, number, Path(root), rate)
        for number, row in enumerate(table.to_dict("records"), 1)
    ]
    _check_ids(items, Path(root))
    if on_error == "stop":
        _check_files(items, Path(root), rate)
    return pack_items(
        items,
        out,
        Reading(float(rate), on_error=on_error, published=True, trim=trim, resampling=""),
        source="ptbxl",
        jobs=jobs,
        progress=progress,
        overwrite=overwrite,
        facts={"root": str(Path(root).resolve())},
    )


def _item(row: dict[Any, Any], position: int, root: Path, rate: int) -> Item:
    where = f"{root / DATABASE}, row {position}"
    ecg_id = whole_number(row["ecg_id"], where, "ecg_id")
    if ecg_id is None:
        raise DataError("ecg_id is needed", file=where)
    where += f", ecg_id {ecg_id}"
    sex = text(row["sex"])
    if sex is not None and sex not in _SEX:
        raise DataError("sex must be 0 (male) or 1 (female)", file=where, value=sex)
    file = text(row[FILE_COLUMN[rate]])
    fold = whole_number(row["strat_fold"], where, "strat_fold", most=10)
    if file is None or fold is None:
        raise DataError("file name and fold (1-10) are needed", file=where, value=(file, fold))
    about = {
        "patient_id": identifier(row["patient_id"]),
        "fold": fold,
        "scp_codes": parse_scp(row["scp_codes"], where),
        "age": number(row["age"], where),
        "sex": None if sex is None else _SEX[sex],
        "device": text(row.get("device")),
        "site": identifier(row.get("site")),
        "metadata": {k: v for k, v in row.items() if k not in _OWN},
    }
    return Item(f"ptbxl/{ecg_id:05d}", root / file, about)


def _check_ids(items: list[Item], root: Path) -> None:
    """Check that no ecg_id and no record file stands in two rows.

    Raises:
        DataError: naming both rows.
    """
    rows: dict[object, int] = {}
    for position, item in enumerate(items, 1):
        keys = {item.record_id: item.record_id, record_identity(item.file): str(item.file)}
        for key, value in keys.items():
            if (first := rows.setdefault(key, position)) != position:
                raise DataError(
                    f"a record stands in rows {first} and {position}",
                    file=root / DATABASE,
                    value=value,
                )


def _check_files(items: list[Item], root: Path, rate: int) -> None:
    """Report missing files and their number before reading starts, e.g. of a partial download.

    Raises:
        DataError: if a file is missing.
    """
    absent = [
        file
        for item in items
        for file in (item.file.with_name(item.file.name + s) for s in (".hea", ".dat"))
        if not file.is_file()
    ]
    if absent:
        raise DataError(
            f"{len(absent)} of {2 * len(items)} record files at {rate} Hz are missing, the first "
            f"is {absent[0].relative_to(root)}",
            file=root,
            remedy="Download them, choose the other rate, or pass --on-error skip",
        )
