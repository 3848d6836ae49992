"""Dipole model of the heart and its projection on the twelve leads.

A beat is a sum of Gaussians in each of Frank's axes X (left), Y (down) and Z (back) (Sameni,
Clifford, Jutten, Shamsollahi 2007, after McSharry, Clifford, Tarassenko, Smith 2003). As in the
latter, repolarisation stretches with the square root of the RR interval. Conduction times (P, PR,
QRS) do not, because they hardly change with heart rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Dower, Machado, Osborne 1980: X, Y, Z to I, II and V1 to V6.
DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
REACH = 4.0
"""Standard deviations beyond which a Gaussian counts as zero (3e-4 of its peak)."""


Vector = tuple[float, float, float]


def vec(v: Array) -> Vector:
    """Convert an array of three to a tuple of plain floats."""
    return (float(v[0]), float(v[1]), float(v[2]))


@dataclass(frozen=True)
class Wave:
    """One asymmetric Gaussian of the dipole (T waves rise more slowly than they fall).

    Attributes:
        at, left, right: centre, and standard deviations before and after it, in the unit of its
            group in `Beat`.
        vector: (x, y, z) in mV at the peak.
    """

    at: float
    left: float
    right: float
    vector: Vector

    def moved(self, add: Array | Vector, scale: float = 1.0) -> Wave:
        """Return a copy with the vector `scale * vector + add`."""
        return self.pointing(scale * np.asarray(self.vector) + np.asarray(add))

    def pointing(self, vector: Array) -> Wave:
        """Return a copy with another vector."""
        return replace(self, vector=vec(vector))


@dataclass(frozen=True)
class Beat:
    """Waves and durations of one kind of beat.

    Attributes:
        pr: P onset to QRS onset, ms.
        qrs: QRS duration, ms.
        qtc: Bazett-corrected QT, ms.
        p: atrial waves, ms after P onset.
        depol: QRS waves, as fractions of the QRS duration after QRS onset.
        repol: ST and T waves, as fractions of the time from the J point to the end of T.
    """

    pr: float
    qrs: float
    qtc: float
    p: Mapping[str, Wave]
    depol: Mapping[str, Wave]
    repol: Mapping[str, Wave]

    def with_waves(self, group: str, **waves: Wave) -> Beat:
        """Return a copy in which the named waves of `p`, `depol` or `repol` are set."""
        return self._with(group, {**getattr(self, group), **waves})

    def mapped(self, group: str, matrix: Array) -> Beat:
        """Return a copy in which every vector of the group is multiplied by the (3, 3) matrix."""
        waves = {
            name: w.pointing(matrix @ np.asarray(w.vector))
            for name, w in getattr(self, group).items()
        }
        return self._with(group, waves)

    def _with(self, group: str, waves: Mapping[str, Wave]) -> Beat:
        changed: dict[str, Any] = {group: waves}
        return replace(self, **changed)

    def lasting(self, qrs: float, *, keep_ms: bool) -> Beat:
        """Return a copy with another QRS duration in ms.

        Args:
            keep_ms: keep the waves' times in ms; otherwise they stretch with the QRS.
        """
        if not keep_ms:
            return replace(self, qrs=qrs)
        f = self.qrs / qrs
        depol = {
            name: replace(w, at=w.at * f, left=w.left * f, right=w.right * f)
            for name, w in self.depol.items()
        }
        return replace(self, qrs=qrs, depol=depol)


def qt_seconds(beat: Beat, rr: float) -> float:
    """Return QT in seconds at an RR of `rr` seconds (Bazett 1920); RR is clipped to 0.36-1.6 s."""
    return float(beat.qtc / 1000 * np.sqrt(np.clip(rr, 0.36, 1.6)))


def add_wave(vcg: Array, rate: float, centre: float, left: float, right: float, v: Array) -> None:
    """Add one Gaussian to `vcg` (3, T) in place; times are in seconds from its first sample."""
    first = max(0, int(np.ceil((centre - REACH * left) * rate)))
    last = min(vcg.shape[1], int((centre + REACH * right) * rate) + 1)
    if first >= last:
        return
    t = np.arange(first, last) / rate - centre
    vcg[:, first:last] += v[:, None] * np.exp(-0.5 * (t / np.where(t < 0, left, right)) ** 2)


def add_atria(vcg: Array, rate: float, beat: Beat, onset: float, matrix: Array) -> None:
    """Add the P wave that starts at `onset` seconds, its vectors multiplied by `matrix` (3, 3)."""
    for w in beat.p.values():
        centre = onset + w.at / 1000
        v = matrix @ np.asarray(w.vector)
        add_wave(vcg, rate, centre, w.left / 1000, w.right / 1000, v)


def add_ventricles(
    vcg: Array, rate: float, beat: Beat, onset: float, rr: float, scale: float = 1.0
) -> None:
    """Add the QRS that starts at `onset` seconds, with its ST and T.

    Args:
        rr: RR interval before the beat, in seconds.
        scale: factor of all vectors.
    """
    qrs = beat.qrs / 1000
    jt = max(qt_seconds(beat, rr) - qrs, 0.12)
    for waves, start, unit in ((beat.depol, 0.0, qrs), (beat.repol, qrs, jt)):
        for w in waves.values():
            centre = onset + start + w.at * unit
            v = scale * np.asarray(w.vector)
            add_wave(vcg, rate, centre, w.left * unit, w.right * unit, v)


def leads(vcg: Array, electrodes: Array | None = None) -> Array:
    """Project the dipole on the twelve leads.

    Electrode noise is added before the leads are formed. III = II - I (Einthoven) and the three
    augmented leads (Goldberger) therefore follow from I and II exactly.

    Shape:
        vcg: (3, T) in mV.
        electrodes: (9, T) noise at RA, LA, LL, V1 to V6, in mV.
        Returns (12, T) in mV, leads in the order of `ecgvision.core.ecg.LEADS`.
    """
    eight = DOWER @ vcg
    if electrodes is not None:
        ra, la, ll = electrodes[:3]
        eight[0] += la - ra
        eight[1] += ll - ra
        eight[2:] += electrodes[3:] - (ra + la + ll) / 3
    i, ii = eight[:2]
    return np.stack([i, ii, ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2, *eight[2:]])


def toward(direction: Vector, mv: float) -> Array:
    """Scale `direction` to an amplitude of `mv` in the lead where it is largest."""
    d = np.asarray(direction, dtype=float)[:, None]
    return d[:, 0] * (mv / np.abs(leads(d)).max())


def turn(axis: str, degrees: float) -> Array:
    """Return a (3, 3) rotation by `degrees` in one plane.

    Args:
        axis: "frontal" (X to Y, clockwise, as the frontal axis counts), "horizontal" (X to Z) or
            "sagittal" (Y to Z).
    """
    a, b = {"frontal": (0, 1), "horizontal": (0, 2), "sagittal": (1, 2)}[axis]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    m = np.eye(3)
    m[a, a] = m[b, b] = c
    m[a, b], m[b, a] = -s, s
    return m


def qrs_leads(beat: Beat) -> Array:
    """Return (12, n) mV: the QRS without ST and T at 1 kHz, from onset to 40 ms past its end."""
    vcg = np.zeros((3, round(beat.qrs) + 40))
    add_ventricles(vcg, 1000, replace(beat, repol={}), 0.0, 1.0)
    return leads(vcg)


def sokolow_lyon(beat: Beat) -> float:
    """Return S in V1 plus the larger R of V5 and V6, in mV (Sokolow and Lyon 1949)."""
    qrs = qrs_leads(beat)
    return float(-qrs[6].min() + qrs[10:12].max())


def frontal_axis(beat: Beat) -> float:
    """Return the frontal QRS axis in degrees, from net areas in I and aVF (times 2/sqrt 3)."""
    area = qrs_leads(beat).sum(axis=1)
    return float(np.degrees(np.arctan2(area[5] * 2 / np.sqrt(3), area[0])))


def axis_to(beat: Beat, degrees: float) -> Beat:
    """Rotate the QRS in the frontal plane until its axis in the leads is `degrees`."""
    for _ in range(6):
        beat = beat.mapped("depol", turn("frontal", degrees - frontal_axis(beat)))
    return beat
