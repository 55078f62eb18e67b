"""Which implementation reads and writes: the reference, or the one on Arrow where its wheels are there."""

from dataclasses import dataclass
from typing import Literal

from pipeline.codec.reference import Decoder, Encoder

Name = Literal["auto", "fastavro", "arrow"]


class CodecMissing(ImportError):
    """The codec that was asked for is not installed."""


@dataclass(frozen=True, slots=True)
class Codec:
    """An implementation: what makes its decoders and encoders. Both classes are called as `Decoder` and `Encoder` are."""

    name: str
    decoder: type[Decoder]
    encoder: type[Encoder]


FASTAVRO = Codec("fastavro", Decoder, Encoder)


def codec_named(name: Name) -> Codec:
    """The codec of this name; `auto` is arrow where it can be imported. Raises CodecMissing."""
    if name == "fastavro":
        return FASTAVRO
    try:
        from pipeline.codec.arrow import ArrowDecoder, ArrowEncoder
    except ImportError as missing:
        if name == "auto":
            return FASTAVRO
        raise CodecMissing(
            f"the codec `arrow` needs the package {missing.name}: install touchstream[arrow], or set TOUCHSTREAM_CODEC to auto"
        ) from None
    return Codec("arrow", ArrowDecoder, ArrowEncoder)
