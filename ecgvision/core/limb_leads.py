"""How the six limb leads follow from two of them. Imports numpy only."""

from __future__ import annotations

import numpy as np

LIMB_FROM_I_II = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], np.float32)
"""(6, 2): I, II, III, aVR, aVL, aVF as sums of I and II (Einthoven 1912, Goldberger 1942)."""
