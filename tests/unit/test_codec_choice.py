"""Which codec a name means, with and without the packages of the fast one."""

import sys

import pytest

from pipeline.codec import CodecMissing, Decoder, Encoder, codec_named
from tests.harness.codecs import needs_arrow


@needs_arrow
def test_the_fast_one_is_taken_where_it_is() -> None:
    """And the reference where it is asked for."""
    assert codec_named("auto").name == codec_named("arrow").name == "arrow"
    assert codec_named("fastavro").decoder is Decoder
    assert codec_named("fastavro").encoder is Encoder


def test_without_its_packages_there_is_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the fast one was asked for."""
    monkeypatch.setitem(sys.modules, "pyruhvro", None)
    monkeypatch.delitem(sys.modules, "pipeline.codec.arrow", raising=False)
    assert codec_named("auto").name == "fastavro"
    with pytest.raises(CodecMissing, match="install touchstream"):
        codec_named("arrow")
