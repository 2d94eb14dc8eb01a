"""Measurements: instructions, boards, sensitivity, baselines, the demo."""
