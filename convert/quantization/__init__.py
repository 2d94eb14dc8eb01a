"""From a Keras network to an integer `.tflite`: export, calibration, the quantizer, QAT."""
