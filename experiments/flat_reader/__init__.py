"""Training, judging and release of the page reader in paper coordinates."""
