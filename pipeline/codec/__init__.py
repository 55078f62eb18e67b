"""Avro records in the Confluent wire format: `Decoder` and `Encoder` are the reference, `codec.choice` names the fast ones."""

from pipeline.codec.choice import Codec, CodecMissing, codec_named
from pipeline.codec.columns import Columns
from pipeline.codec.reference import Decoder, Encoder
from pipeline.codec.wire import HEAD_BYTES, Record, head, plain

__all__ = [
    "HEAD_BYTES",
    "Codec",
    "CodecMissing",
    "Columns",
    "Decoder",
    "Encoder",
    "Record",
    "codec_named",
    "head",
    "plain",
]
