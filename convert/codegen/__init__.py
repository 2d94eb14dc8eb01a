"""Code generation: a bundle as plain C, an Arduino library or a Zephyr module."""
