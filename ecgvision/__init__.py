"""Classify ECGs from printed pages: a signal stream teaches an image-only student."""

__version__ = "0.1.0"
