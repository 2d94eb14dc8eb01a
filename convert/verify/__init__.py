"""Proofs: inspection of a `.tflite`, parity of all runtimes, parity with a board."""
