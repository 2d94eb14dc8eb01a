"""Conversion to int8 models and bundles, inspection and parity tests."""
