"""The conversion room: int8 models, bundles, inspection and parity."""
