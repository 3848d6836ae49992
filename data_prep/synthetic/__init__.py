"""A synthetic heart: dipole, rhythm, conditions, patients and the nuisances of recording."""
