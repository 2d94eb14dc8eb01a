"""Building a corpus: the sources, their containers, and the builder."""
