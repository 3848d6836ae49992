"""Synthetic ECGs: dipole model, rhythms, conditions, patients and recording noise."""
