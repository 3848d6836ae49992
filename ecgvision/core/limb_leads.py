"""Derivation of the six limb leads from leads I and II. Imports numpy only."""

from __future__ import annotations

import numpy as np

LIMB_FROM_I_II = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], np.float32)
"""(6, 2) weights of I and II for I, II, III, aVR, aVL, aVF (Einthoven 1912, Goldberger 1942)."""
