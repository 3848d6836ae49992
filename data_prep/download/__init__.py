"""Downloads public ECG databases, verified and resumable."""
