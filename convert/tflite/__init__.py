"""The typed graph of a `.tflite`, its counts, TFLM's arithmetic in NumPy, and runtimes."""
