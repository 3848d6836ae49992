"""Attribution of a model's prediction to leads and samples."""
