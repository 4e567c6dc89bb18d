"""The detectors by family, each with the validators that only it needs."""
