"""The public functions of `import ecgvision as ev`."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

import ecgvision as ev
from ecgvision.deploy.prediction import Prediction
from tests.real_data import real_data


@pytest.fixture(scope="module")
def record():
    files = sorted(real_data("ptbxl-mini").rglob("records500/**/*.hea"))
    return ev.read_record(files[0])


@pytest.fixture(scope="module")
def page(record):
    return ev.render(record, "3x4+II", dpi=100)


def test_every_public_name_is_there_and_imports_nothing_before_it_is_used():
    for name in ev.__all__:
        assert getattr(ev, name) is not None
        assert name in dir(ev)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = ev.nonsense
    code = ("import sys; before = set(sys.modules); import ecgvision; "
            "print(*sorted(m for m in set(sys.modules) - before if m.startswith('ecgvision.') or m in ('numpy', 'torch')))")  # fmt: skip
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_render_is_callable_however_it_was_imported(record):
    import ecgvision.render.draw  # binds the package's name

    assert ev.render(record, "12x1", dpi=50).image.ndim == 3
    assert callable(ecgvision.render.draw.draw)


def test_a_record_becomes_a_page_and_is_read_back(record, page):
    assert page.image.dtype == np.uint8
    assert page.image.shape[2] == 3
    read = ev.digitize(page.image)
    assert set(read.to_dict()["leads"]) == set(ev.LEADS)
    table = read.to_pandas()
    assert list(table.columns) == list(ev.LEADS)
    assert table.index[1] == pytest.approx(1 / read.ecg.rate)
    rate = int(read.ecg.rate)
    lead, truth = table["II"].to_numpy(), record.signal[1, :: int(record.rate) // rate]
    seen = np.isfinite(lead)
    late = [np.roll(lead, -shift) for shift in range(round(0.05 * rate))]  # time is known to 50 ms
    assert max(np.corrcoef(v[seen], truth[seen])[0, 1] for v in map(np.nan_to_num, late)) > 0.9
    drawn = read.draw_on(page.image)
    assert drawn.shape == page.image.shape
    assert (drawn != page.image).any()


def test_a_picture_is_read_from_its_file_and_at_a_given_gain(page, tmp_path):
    file = tmp_path / "page.png"
    cv2.imwrite(str(file), page.image[:, :, ::-1])
    assert (ev.read_page(file) == page.image).all()
    assert ev.digitize(file, gain=20).gain == 2.0


def test_the_page_asked_for_is_drawn(record):
    usual, other = (ev.render(record, "12x1", dpi=60, gain=g, mask=True) for g in (None, 20))
    assert usual.image.shape == other.image.shape
    assert other.mask.astype(int).sum() > usual.mask.astype(int).sum()
    with pytest.raises(ev.EcgVisionError, match="4x4"):
        ev.render(record, "4x4")
    with pytest.raises(ev.EcgVisionError, match="nowhere"):
        ev.render(record, paper="nowhere")


def test_the_packages_reader_is_no_student(tmp_path):
    bundle = ev.open_bundle()
    assert bundle.rate == 500
    with pytest.raises(ev.EcgVisionError, match="gives no labels"):
        ev.predict(tmp_path / "page.png", bundle=bundle.folder)
    with pytest.raises(ev.EcgVisionError):
        ev.open_bundle(tmp_path)
    with pytest.raises(ev.EcgVisionError):
        ev.open_run(tmp_path)


def test_a_prediction_is_a_table_a_document_and_a_plot():
    found = Prediction("a.png", (10, 20), ("MI", "HYP"), ("infarction", "hypertrophy"),
                       (0.4, 0.5), (1.0, -1.0), (0.73, 0.27), (True, False))  # fmt: skip
    assert found.to_dict()["positive"] == ["MI"]
    assert found.to_dict()["probabilities"] == {"MI": 0.73, "HYP": 0.27}
    assert found.to_pandas().loc["HYP", "threshold"] == 0.5
    figure = found.plot()
    assert isinstance(figure, Figure)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["infarction", "hypertrophy"]
    assert Prediction("a.png", error="no").to_dict() == {"file": "a.png", "error": "no"}
