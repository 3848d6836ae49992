"""Points of a picture lie on the flat page where the mesh says."""

from __future__ import annotations

import numpy as np
import pytest

from ecgvision.deploy.serve.flat_page import to_paper
from ecgvision.reader.rectify.mesh import Mesh, plain_mesh


@pytest.mark.parametrize("bend", [0.0, 12.0])
def test_to_paper_is_the_inverse_of_the_mesh(bend: float) -> None:
    rows, columns = 30, 50
    y, x = np.mgrid[:rows, :columns] * 40.0
    nodes = np.stack([0.9 * x - 0.2 * y + bend * np.sin(y / 200), 0.2 * x + 0.9 * y
                      + bend * np.cos(x / 150)], axis=-1)  # fmt: skip
    mesh = Mesh(nodes, np.ones((rows, columns), bool))
    mm = np.random.default_rng(0).uniform([2, 2], [240, 140], (200, 2))
    np.testing.assert_allclose(to_paper(mesh, mesh.to_picture(mm)), mm, atol=0.02)


def test_missing_points_stay_missing() -> None:
    mesh = plain_mesh((400, 600), 4.0)
    points = np.array([[[10.0, 20.0], [np.nan, np.nan]]])
    found = to_paper(mesh, points)
    assert np.isfinite(found[0, 0]).all()
    assert np.isnan(found[0, 1]).all()
    assert np.isnan(to_paper(mesh, points[:, 1:])).all()
