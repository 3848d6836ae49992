"""Training pages in paper coordinates: drawn flat, then worn as rectified pictures are."""
