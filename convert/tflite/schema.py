"""The FlatBuffers schema of `.tflite` files.

It is taken from LiteRT where that is installed, else from the TFLM wheel, which has the same one.
"""

try:
    from ai_edge_litert import schema_py_generated as schema
except ModuleNotFoundError:
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

__all__ = ["schema"]
