"""Measurements: instructions, boards, sensitivity, drift, baselines, the demo."""
