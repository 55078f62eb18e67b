"""Names of cells, persons and partitions: stable for ever, the same whatever spelling, and silent about whom they mean."""

import string
import subprocess
import sys

import hypothesis.strategies as st
import pytest
from hypothesis import given
from kafka.partitioner.default import murmur2 as reference

from pipeline.keys import Keyring, person_of
from pipeline.partitions import murmur2, partition_of
from schemas.namespaces import listed, namespace, strongest
from tests.harness.touchpoints import KEYRING, TEXT

PAIRS = st.lists(
    st.tuples(st.sampled_from([*listed(), "shoe_size", "zzz"]), st.text(string.digits + "ab@", min_size=5)), max_size=4
)


def test_names_are_the_same_for_ever() -> None:
    """Pinned: whoever changes them orphans all stored data."""
    cell = KEYRING.cell("email", "ann@example.org")
    assert cell == "email:6c90bfffc9461979aac2"
    assert person_of(cell) == "p_e94a95b5629efa7821bc"


def test_names_need_the_secret() -> None:
    """Another installation has other names, and a short secret is none."""
    assert Keyring(b"another secret, as long").cell("email", "a@b.c") != KEYRING.cell("email", "a@b.c")
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Keyring(b"short")


@given(TEXT)
def test_a_cell_says_its_namespace_and_nothing_else(value: str) -> None:
    """The rest is a hash."""
    name = KEYRING.cell("customer", value)
    kind, _, digest = name.partition(":")
    assert kind == "customer"
    assert len(digest) == 20
    assert set(digest) <= set(string.hexdigits)


@pytest.mark.parametrize(
    ("kind", "spellings"),
    [
        ("email", ["Ann@Example.org", " ann@example.org ", "ANN@EXAMPLE.ORG"]),
        ("phone", ["+49 (30) 123-45.67", "+49301234567", "+49/30/1234567", " +49 30 1234567\t"]),
        ("customer", ["C-1", " C-1", "C-1\n"]),
        ("social", ["Network/Ann", "network/ann "]),
        ("shoe_size", ["43", " 43 "]),
    ],
)
def test_spellings_of_one_identifier_are_one(kind: str, spellings: list[str]) -> None:
    """The canonical form decides."""
    found = namespace(kind)
    assert found is not None
    assert len({found.canonical(value) for value in spellings}) == 1
    assert None not in {found.canonical(value) for value in spellings}


@given(st.sampled_from([*listed(), "shoe_size"]), st.text(max_size=300))
def test_the_canonical_form_is_its_own(kind: str, value: str) -> None:
    """Or there is none."""
    found = namespace(kind)
    assert found is not None
    canonical = found.canonical(value)
    assert canonical is None or (canonical and found.canonical(canonical) == canonical)


@pytest.mark.parametrize("name", ["", "Email", "e-mail", "1st", "a" * 33, "émail", "email\n", "a b"])
def test_a_malformed_namespace_is_none(name: str) -> None:
    """Lower-case letters, digits and underscores."""
    assert namespace(name) is None
    assert strongest([("customer", "c-1"), (name, "x")]) is None


@given(PAIRS)
def test_the_strongest_does_not_depend_on_the_order(pairs: list[tuple[str, str]]) -> None:
    """Whichever way the source lists them."""
    assert strongest(pairs) == strongest(pairs[::-1]) == strongest(sorted(pairs))


def test_the_strongest_is_the_first_in_the_table() -> None:
    """And what is not listed comes last."""
    pairs = [("shoe_size", "43"), ("cookie", "x"), ("phone", "+49 30 1234567"), ("email", "A@B.c")]
    assert strongest(pairs) == ("email", "a@b.c")
    assert strongest(pairs[:1]) == ("shoe_size", "43")
    assert strongest([]) is None


def test_names_from_outside_do_not_pile_up() -> None:
    """A million namespaces that somebody makes up cost no memory for ever."""
    from schemas import namespaces

    for number in range(3000):
        assert namespace(f"made_up_{number}") is not None
        assert namespace(f"Malformed {number}") is None
    assert namespaces._unlisted.cache_info().currsize <= 1024


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_partitions_are_those_of_the_java_client(key: bytes, hashed: int) -> None:
    """Its own test's values of murmur2."""
    for partitions in (1, 4, 12):
        assert partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions


def test_names_do_not_depend_on_the_process() -> None:
    """Python's own hashes are salted; ours are not."""
    code = "from tests.harness.touchpoints import KEYRING; print(KEYRING.cell('email', 'ann@example.org'))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == KEYRING.cell("email", "ann@example.org")


@given(st.binary(max_size=80))
def test_partitions_are_those_of_other_clients(key: bytes) -> None:
    assert murmur2(key) == reference(key) & 0x7FFFFFFF
