"""SNOMED CT identifiers as text, validated by their check digit.

A SNOMED CT identifier has 6 to 18 digits. The last one is a Verhoeff check digit (SNOMED CT Release
File Specification, "SCTID representation" and "Check-digit computation"). The check detects every
single wrong digit and every swap of neighbouring digits. It does not tell whether a concept exists.
"""

from __future__ import annotations

from ecgvision.core.errors import LabelError

# Verhoeff's scheme uses the dihedral group D5: rotations are 0-4, reflections 5-9.
_SHIFT = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _product(a: int, b: int) -> int:
    """Return the product of two elements of D5."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def is_identifier(text: str) -> bool:
    """Return whether the text is a SNOMED CT identifier by length, digits and check digit."""
    if not (6 <= len(text) <= 18 and text.isascii() and text.isdigit()) or text[0] == "0":
        return False
    total = 0
    for place, digit in enumerate(reversed(text)):
        value = int(digit)
        for _ in range(place % 8):  # the permutation has order 8
            value = _SHIFT[value]
        total = _product(total, value)
    return total == 0


def check_identifier(text: str) -> str:
    """Return the text if it is a SNOMED CT identifier.

    Raises:
        LabelError: if it is not.
    """
    if not is_identifier(text):
        raise LabelError(
            "not a SNOMED CT identifier: 6 to 18 digits with a fitting check digit are needed",
            value=text,
            remedy="Correct the code: passing over it would turn a finding into a negative",
        )
    return text
