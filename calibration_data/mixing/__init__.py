"""The seeded mixer: speech, recorded and procedural noise, rooms, microphones."""
