"""The first room: speech and noise. Sources, the corpus laid from them, the seeded mixer, a small committed set."""
