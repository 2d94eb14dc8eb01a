"""Scores over a corpus, and robustness."""
