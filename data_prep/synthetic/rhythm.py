"""Rhythms: onsets of P waves and QRS complexes in sinus rhythm and arrhythmias.

Sinus variability is respiratory (0.15-0.4 Hz) plus low-frequency (about 0.1 Hz) plus a little noise
(McSharry et al. 2003). Rates per minute are textbook values: bradycardia under 60, tachycardia over
100, flutter 240-340, escape rhythm 30-45; fibrillatory waves have 4-9 Hz.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from data_prep.synthetic.dipole import Array

Rng = np.random.Generator

LEAD_IN = 3.0
"""Seconds simulated before the record starts, so that it starts within a running rhythm."""
TAIL = 1.0
"""Seconds simulated after the record ends, for a P wave whose QRS is outside."""


@dataclass(frozen=True)
class Rhythm:
    """Event times in seconds from the record's first sample.

    Attributes:
        atrial: (M,) onsets of P waves.
        ectopic: (M,) bool, P waves from an ectopic focus.
        ventricular: (N,) onsets of QRS complexes.
        kind: (N,) kind of each beat: "sinus", "pvc", "escape" or "paced".
        flutter: flutter waves per second, 0 if none.
        fibrillation: dominant frequency of f-waves in Hz, 0 if none.
        codes: SCP statements of the rhythm.
    """

    atrial: Array
    ventricular: Array
    ectopic: Array = field(default_factory=lambda: np.zeros(0, bool))
    kind: tuple[str, ...] = ()
    flutter: float = 0.0
    fibrillation: float = 0.0
    codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.ectopic):
            object.__setattr__(self, "ectopic", np.zeros(len(self.atrial), bool))
        if not self.kind:
            object.__setattr__(self, "kind", ("sinus",) * len(self.ventricular))


def intervals(rng: Rng, rate: float, span: float, breathing: float, noise: float = 0.01) -> Array:
    """Sample onsets of a sinus node from -LEAD_IN to `span` seconds.

    Args:
        rate: per minute.
        breathing: relative depth of respiratory variation. The low-frequency part has half this
            depth (our default: both are of similar size at rest, with breathing larger in the
            young).
        noise: relative standard deviation of the remaining variation.
    """
    f_resp, f_low = rng.uniform(0.15, 0.4), rng.uniform(0.08, 0.12)
    phase = rng.uniform(0, 2 * np.pi, 2)
    times = [-LEAD_IN - rng.uniform(0, 60 / rate)]
    while times[-1] < span:
        t = times[-1]
        depth = breathing * np.sin(2 * np.pi * f_resp * t + phase[0])
        depth += breathing / 2 * np.sin(2 * np.pi * f_low * t + phase[1])
        times.append(t + 60 / rate * max(0.4, 1 + depth + noise * rng.standard_normal()))
    return np.array(times)


def sinus(rng: Rng, seconds: float, pr: float, rate: float, breathing: float, code: str) -> Rhythm:
    """Sinus rhythm at `rate` per minute; `pr` in seconds."""
    p = intervals(rng, rate, seconds + TAIL, breathing)
    return Rhythm(p, p + pr, codes=(code,))


def normal(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Sinus rhythm at the patient's own rate, clipped to 61-99 per minute."""
    return sinus(rng, seconds, pr, float(np.clip(rate, 61, 99)), breathing, "SR")


def arrhythmia(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Sinus arrhythmia: respiratory variation of RR by well over 120 ms."""
    rate = float(np.clip(rate, 58, 85))
    return sinus(rng, seconds, pr, rate, rng.uniform(0.13, 0.2), "SARRH")


def bradycardia(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Sinus bradycardia: under 60 per minute."""
    return sinus(rng, seconds, pr, rng.uniform(42, 58), breathing, "SBRAD")


def tachycardia(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Sinus tachycardia: over 100 per minute, with a shorter PR and less rate variability."""
    return sinus(rng, seconds, max(0.11, pr - 0.02), rng.uniform(103, 140), breathing / 4, "STACH")


def atrial_fibrillation(
    rng: Rng, seconds: float, pr: float, rate: float, breathing: float
) -> Rhythm:
    """Atrial fibrillation: no P waves and independent RR intervals.

    RR is 0.3 s (the AV node's refractory time) plus a gamma-distributed part. Its coefficient of
    variation is 0.17-0.28 (our default: sources only say irregular).
    """
    rate, cv = rng.uniform(65, 130), rng.uniform(0.17, 0.28)
    mean = 60 / rate - 0.3
    shape = (mean / (cv * 60 / rate)) ** 2
    count = int((seconds + TAIL + LEAD_IN) * rate / 60 * 1.6) + 8
    rr = 0.3 + rng.gamma(shape, mean / shape, count)
    v = np.cumsum(rr) - LEAD_IN - rng.uniform(0, 0.5)
    return Rhythm(
        np.zeros(0), v[v < seconds + TAIL], fibrillation=rng.uniform(5, 8.5), codes=("AFIB",)
    )


def atrial_flutter(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Atrial flutter at 240-340 per minute; every second, third or fourth wave is conducted."""
    flutter = rng.uniform(240, 340) / 60
    ratio = int(rng.choice([2, 3, 4], p=[0.35, 0.2, 0.45]))
    v = np.arange(-LEAD_IN - rng.uniform(0, 1), seconds + TAIL, ratio / flutter)
    return Rhythm(np.zeros(0), v, flutter=flutter, codes=("AFLT",))


def supraventricular_tachycardia(
    rng: Rng, seconds: float, pr: float, rate: float, breathing: float
) -> Rhythm:
    """Supraventricular tachycardia: regular narrow beats at 150-200 per minute, without visible P.

    P is hidden in the QRS.
    """
    v = intervals(rng, rng.uniform(150, 200), seconds + TAIL, 0.0, noise=0.004)
    return Rhythm(np.zeros(0), v, codes=("SVTAC",))


def paroxysmal(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Paroxysmal SVT: a supraventricular tachycardia that ends in sinus rhythm in the record."""
    end = rng.uniform(0.3, 0.7) * seconds
    fast = supraventricular_tachycardia(rng, seconds, pr, rate, breathing).ventricular
    fast = fast[fast < end]
    slow = sinus(rng, seconds, pr, float(np.clip(rate, 61, 99)), breathing, "SR")
    p = slow.atrial[slow.atrial > fast[-1] + 0.5]
    return Rhythm(p, np.concatenate([fast, p + pr]), codes=("PSVT",))


def paced(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Ventricular pacing at 61-80 per minute, triggered by sensed P waves."""
    r = sinus(rng, seconds, 0.16, rng.uniform(61, 80), 0.005, "PACE")
    return Rhythm(r.atrial, r.ventricular, kind=("paced",) * len(r.ventricular), codes=r.codes)


def wenckebach(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Second-degree block, Mobitz I: PR grows from beat to beat until one P is not conducted."""
    p = intervals(rng, rng.uniform(68, 90), seconds + TAIL, 0.01)
    cycle, growth = int(rng.integers(3, 5)), rng.uniform(0.04, 0.08)
    place = np.arange(len(p)) % cycle
    # The first step is the largest, so that RR shortens before the pause.
    delay = max(pr, 0.17) + growth * np.sqrt(place) * 1.3
    return Rhythm(p, (p + delay)[place < cycle - 1], codes=("SR", "2AVB"))


def mobitz(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Second-degree block, Mobitz II: every second, third or fourth P is dropped, PR constant."""
    p = intervals(rng, rng.uniform(68, 90), seconds + TAIL, 0.01)
    cycle = int(rng.integers(2, 5))
    return Rhythm(p, (p + pr)[np.arange(len(p)) % cycle > 0], codes=("SR", "2AVB"))


def complete_block(rng: Rng, seconds: float, pr: float, rate: float, breathing: float) -> Rhythm:
    """Third-degree block: P waves independent of an escape rhythm of 30-45 per minute."""
    p = intervals(rng, rng.uniform(70, 100), seconds + TAIL, 0.02)
    v = intervals(rng, rng.uniform(30, 45), seconds + TAIL, 0.0, noise=0.005)
    kind = "escape" if rng.random() < 0.5 else "sinus"
    return Rhythm(p, v, kind=(kind,) * len(v), codes=("SR", "3AVB"))


RHYTHMS: dict[str, Callable[[Rng, float, float, float, float], Rhythm]] = {
    "SR": normal,
    "SARRH": arrhythmia,
    "SBRAD": bradycardia,
    "STACH": tachycardia,
    "AFIB": atrial_fibrillation,
    "AFLT": atrial_flutter,
    "SVTAC": supraventricular_tachycardia,
    "PSVT": paroxysmal,
    "PACE": paced,
    "2AVB-I": wenckebach,
    "2AVB-II": mobitz,
    "3AVB": complete_block,
}
"""Name -> f(rng, seconds, pr in s, patient's rate per minute, depth of breathing) -> Rhythm."""


def premature(rng: Rng, rhythm: Rhythm, pr: float, *, kind: str, every: int = 0) -> Rhythm:
    """Insert premature beats into a sinus rhythm.

    Args:
        pr: PR interval in seconds.
        kind: "pvc" (no P, wide QRS, compensatory pause: the next sinus beat keeps its time) or
            "pac" (early P of another shape, narrow QRS, reset of the sinus node).
        every: 2 or 3 for bigeminy or trigeminy; 0 for single premature beats: every second beat
            is premature with probability 1/6, and at least one is.

    Raises:
        ValueError: if the rhythm has not one P for each QRS.
    """
    p, v = rhythm.atrial.copy(), rhythm.ventricular.copy()
    n = len(p)
    if n != len(v):
        raise ValueError("premature beats need a rhythm with one P for each QRS")
    chosen = (
        np.arange(n) % every == every - 1
        if every
        else (rng.random(n) < 1 / 6) & (np.arange(n) % 2 == 1)
    )
    inside = np.flatnonzero(p > 0.5)
    if not chosen[inside].any():
        chosen[inside[len(inside) // 2]] = True
    chosen[0] = False
    rr = np.diff(v, prepend=v[0] - np.median(np.diff(v)))
    early = np.where(chosen, rng.uniform(0.28, 0.4, n) * rr, 0.0)
    if kind == "pvc":
        codes = ("PVC", *(("BIGU",) if every == 2 else ("TRIGU",) if every == 3 else ()))
        kinds = tuple("pvc" if c else k for c, k in zip(chosen, rhythm.kind, strict=True))
        keep = ~chosen
        return Rhythm(p[keep], v - early, rhythm.ectopic[keep], kinds, codes=rhythm.codes + codes)
    shift = np.concatenate([[0.0], np.cumsum(early)[:-1]]) * 0.7  # the reset node fires earlier
    p, v = p - early - shift, v - early - shift
    return Rhythm(p, v, rhythm.ectopic | chosen, rhythm.kind, codes=rhythm.codes + ("PAC",))
