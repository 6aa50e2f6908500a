"""`Example`: `tf.train.Example` without TensorFlow, whose import takes seconds.

It reads and writes the same bytes, by the schema of tensorflow/core/example.
That has a pool of its own: TensorFlow, where it is loaded too, puts the same
names into the default one.
"""

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool


def _field(name: str, number: int, kind: int | str, **more) -> dict:
    """A field that is a number or a string, or a message of the schema."""
    if isinstance(kind, str):
        more["type_name"] = f".tensorflow.{kind}"
        kind = Field.TYPE_MESSAGE
    return {"name": name, "number": number, "type": kind} | more


def _list(name: str, kind: int) -> dict:
    values = _field("value", 1, kind, label=Field.LABEL_REPEATED)
    return {"name": name, "field": [values]}


_FEATURE = {
    "name": "Feature",
    "oneof_decl": [{"name": "kind"}],
    "field": [
        _field("bytes_list", 1, "BytesList", oneof_index=0),
        _field("float_list", 2, "FloatList", oneof_index=0),
        _field("int64_list", 3, "Int64List", oneof_index=0),
    ],
}
_ENTRY = {
    "name": "FeatureEntry",
    "field": [
        _field("key", 1, Field.TYPE_STRING),
        _field("value", 2, "Feature"),
    ],
    "options": {"map_entry": True},
}
_ENTRIES = _field(
    "feature", 1, "Features.FeatureEntry", label=Field.LABEL_REPEATED
)
_SCHEMA = FileDescriptorProto(
    name="example.proto",
    package="tensorflow",
    syntax="proto3",
    message_type=[
        _list("BytesList", Field.TYPE_BYTES),
        _list("FloatList", Field.TYPE_FLOAT),
        _list("Int64List", Field.TYPE_INT64),
        _FEATURE,
        {"name": "Features", "nested_type": [_ENTRY], "field": [_ENTRIES]},
        {"name": "Example", "field": [_field("features", 1, "Features")]},
    ],
)

_pool = DescriptorPool()
_pool.AddSerializedFile(_SCHEMA.SerializeToString())
Example = message_factory.GetMessageClass(
    _pool.FindMessageTypeByName("tensorflow.Example")
)
