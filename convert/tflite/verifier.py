"""Verify the structure of a `.tflite` before anything reads it.

The checks are those of the verifier in the FlatBuffers C++ library, which its Python package does
not have: every table, vector and string lies inside of the file and is aligned. The layout of the
tables comes from the generated Python classes of the schema, so there is no second copy of it.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import struct

from flatbuffers import table

from convert.tflite.schema import schema

# The limits of the C++ verifier.
_MAX_DEPTH = 64
_MAX_TABLES = 1_000_000
_UOFFSET = struct.Struct("<I")
_SOFFSET = struct.Struct("<i")
_VOFFSET = struct.Struct("<H")


class StructureError(Exception):
    """A part of the file lies outside of it or is not aligned."""


class _Kind(enum.Enum):
    SCALAR = enum.auto()
    STRING = enum.auto()
    TABLE = enum.auto()
    UNION = enum.auto()


@dataclasses.dataclass
class _Field:
    """A field of a table.

    Attributes
    ----------
    name : str
    slot : int
        Position of its entry in the vtable, in bytes.
    kind : _Kind
        Of the value, or of the elements of a vector.
    size : int
        Bytes of a scalar.
    table : type or None
        Class of a table.
    is_vector : bool
    """

    name: str
    slot: int
    kind: _Kind = _Kind.SCALAR
    size: int = 0
    table: type | None = None
    is_vector: bool = False


def verify(content: bytes) -> None:
    """Verify that every part of a `.tflite` lies inside of it.

    Parameters
    ----------
    content : bytes

    Raises
    ------
    StructureError
        When a part does not, or is not aligned. The message names the table and the field.
    """
    _Verifier(content).table(schema.Model, 0, "Model", 0)


class _Verifier:
    """Walks over the tables of a file."""

    def __init__(self, content: bytes):
        self._content = content
        self._tables = 0

    def table(self, kind: type, reference: int, path: str, depth: int) -> None:
        """Verify the table to which the offset at `reference` leads, and all below it."""
        self._tables += 1
        if depth > _MAX_DEPTH or self._tables > _MAX_TABLES:
            raise StructureError(f"{path}: more than {_MAX_TABLES:,} tables")
        start = self._follow(reference, path)
        self._inside(start, 4, 4, path)
        vtable = start - _SOFFSET.unpack_from(self._content, start)[0]
        self._inside(vtable, 2, 2, f"{path}: its vtable")
        (size,) = _VOFFSET.unpack_from(self._content, vtable)
        if size % 2:
            raise StructureError(f"{path}: its vtable has {size} bytes")
        self._inside(vtable, size, 2, f"{path}: its vtable")
        positions = {}
        for field in _fields(kind):
            offset = 0
            if field.slot + 2 <= size:
                (offset,) = _VOFFSET.unpack_from(self._content, vtable + field.slot)
            positions[field.name] = start + offset if offset else None
        for field in _fields(kind):
            position = positions[field.name]
            if position is None:
                continue
            below = f"{path}.{field.name}"
            if field.kind is _Kind.UNION:
                self._union(field, position, positions[f"{field.name}Type"], below, depth)
            elif field.is_vector:
                self._vector(field, position, below, depth)
            else:
                self._value(field, position, below, depth)

    def _union(
        self, field: _Field, position: int, type_position: int | None, path: str, depth: int
    ) -> None:
        value = 0 if type_position is None else self._content[type_position]
        name = _union_names(field.name).get(value)
        if name is None:  # of a later schema, like an unknown type in the C++ verifier
            self._follow(position, path)
        elif value:
            self.table(getattr(schema, name), position, path, depth + 1)

    def _value(self, field: _Field, position: int, path: str, depth: int) -> None:
        if field.kind is _Kind.SCALAR:
            self._inside(position, field.size, field.size, path)
        elif field.kind is _Kind.STRING:
            self._string(position, path)
        else:
            assert field.table is not None
            self.table(field.table, position, path, depth + 1)

    def _vector(self, field: _Field, position: int, path: str, depth: int) -> None:
        size = field.size if field.kind is _Kind.SCALAR else 4
        first, count = self._elements(position, size, path)
        if field.kind is not _Kind.SCALAR:
            for i in range(count):
                self._value(field, first + 4 * i, f"{path}[{i}]", depth)

    def _string(self, position: int, path: str) -> None:
        first, count = self._elements(position, 1, path)
        self._inside(first + count, 1, 1, path)
        if self._content[first + count]:
            raise StructureError(f"{path}: the text has no end")

    def _elements(self, reference: int, size: int, path: str) -> tuple[int, int]:
        """Return the position of the first element of a vector, and the number of elements."""
        start = self._follow(reference, path)
        self._inside(start, 4, 4, path)
        (count,) = _UOFFSET.unpack_from(self._content, start)
        self._inside(start + 4, size * count, 1, path)
        return start + 4, count

    def _follow(self, reference: int, path: str) -> int:
        self._inside(reference, 4, 4, path)
        (offset,) = _UOFFSET.unpack_from(self._content, reference)
        if not 0 < offset < 2**31:
            raise StructureError(f"{path}: offset {offset}")
        self._inside(reference + offset, 1, 1, path)
        return reference + offset

    def _inside(self, position: int, size: int, alignment: int, path: str) -> None:
        if not 0 <= position <= len(self._content) - size:
            raise StructureError(
                f"{path}: bytes {position} to {position + size} of {len(self._content)}"
            )
        if position % alignment:
            raise StructureError(f"{path}: byte {position} is not a multiple of {alignment}")


@functools.cache
def _union_names(field: str) -> dict[int, str]:
    """Return the names of the tables of a union by the value of its type; "NONE" for 0."""
    kinds = {"Details": "QuantizationDetails"}
    kinds |= dict.fromkeys(("ArraySegments", "ArrayIndices"), "SparseIndexVector")
    enumeration = getattr(schema, kinds.get(field, field))
    return {v: k for k, v in vars(enumeration).items() if not k.startswith("_")}


@functools.cache
def _fields(kind: type) -> list[_Field]:
    """List the fields of a table, as its accessors read them."""
    helpers = {
        f"{name}{suffix}"
        for name in vars(kind)
        for suffix in ("AsNumpy", "Length", "IsNone")
        if f"{name}Length" in vars(kind)
    }
    fields = []
    for name in vars(kind):
        if name.startswith(("_", "GetRootAs")) or name in {"Init", *helpers}:
            continue
        if name.endswith("BufferHasIdentifier"):
            continue
        spy = _Spy(name)
        accessor = getattr(_with(kind, spy), name)
        value = accessor(0) if f"{name}Length" in vars(kind) else accessor()
        if spy.field.kind is _Kind.TABLE:
            spy.field.table = type(value)
        fields.append(spy.field)
    return fields


def _with(kind: type, spy: _Spy):
    reader = kind()
    reader._tab = spy
    return reader


class _Spy:
    """A stand-in for `flatbuffers.table.Table` that notes how an accessor reads its field."""

    Bytes = bytes(16)
    Pos = 0

    def __init__(self, name: str):
        self.field = _Field(name, 0)

    def Offset(self, slot: int) -> int:
        self.field.slot = slot
        return slot

    def Get(self, flags, position: int) -> int:
        self.field.size = flags.bytewidth
        return 0

    def String(self, position: int) -> bytes:
        self.field.kind = _Kind.STRING
        return b""

    def Indirect(self, position: int) -> int:
        self.field.kind = _Kind.TABLE
        return 0

    def Union(self, found: table.Table, position: int) -> None:
        self.field.kind = _Kind.UNION

    def Vector(self, slot: int) -> int:
        self.field.is_vector = True
        return 0
