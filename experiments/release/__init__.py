"""Puts finished runs into the package."""
