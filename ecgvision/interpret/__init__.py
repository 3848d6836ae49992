"""Which leads and moments a model's answer rests on."""
