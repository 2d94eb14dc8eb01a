"""The FlatBuffers schema of `.tflite` files: of LiteRT where it is installed, else the same one of the TFLM wheel."""

try:
    from ai_edge_litert import schema_py_generated as schema
except ModuleNotFoundError:
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

__all__ = ["schema"]
