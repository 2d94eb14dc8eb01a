"""Speech and noise: sources, corpora, a reproducible mixer, and a small committed set of clips."""
