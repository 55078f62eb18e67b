"""A schema registry that is not ours (Apicurio), with our client, both codecs, ClickHouse's own Avro, and the whole pipeline."""

import json
from collections.abc import Iterator

import pytest
from clickhouse_driver import Client

from pipeline import topics
from pipeline.codec import Decoder, Encoder, plain
from pipeline.codec.reference import Bodies
from pipeline.codec.wire import head
from schemas.registry import HttpRegistry, RegistryRefused, SchemaUnknown, catalogue_of_files, load
from tests.harness.apicurio import apicurio
from tests.harness.codecs import CODECS, codec, newer
from tests.harness.installation import Installation, Maker
from tests.harness.touchpoints import touchpoint

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]
SUBJECT = "cx.touchpoints.web.v1-value"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """With every schema of ours in it, as a user puts them there."""
    home = tmp_path_factory.mktemp("registering") / "home"
    with apicurio(tmp_path_factory.mktemp("apicurio")) as address:
        user = Installation(home, {"registry_url": address})
        home.mkdir()
        lacking = user.run("schemas", "register", "--dry-run", "--json")
        assert lacking.returncode == 1
        assert {one["state"] for one in json.loads(lacking.stdout)} == {"missing"}
        given = user.told("schemas", "register")
        assert {one["state"] for one in given} == {"registered"}
        again = user.told("schemas", "register")
        assert [{**one, "state": "known"} for one in given] == again
        yield address


def test_it_holds_every_version_of_every_subject(url: str) -> None:
    registry = HttpRegistry(url)
    for subject, record in topics.subjects("cx.").items():
        for version in {held for name, held in catalogue_of_files().values() if name == record}:
            number = registry.look_up(subject, load(record, version))
            assert number is not None
            assert registry.schema(number) == load(record, version)


def test_what_it_refuses_and_does_not_know_are_told_apart(url: str) -> None:
    registry = HttpRegistry(url)
    narrower = json.loads(json.dumps(load("touchpoint")))
    narrower["fields"].append({"name": "floor", "type": "int"})
    with pytest.raises(RegistryRefused, match="409"):
        registry.register(SUBJECT, narrower)
    with pytest.raises(RegistryRefused, match="422"):
        registry.register(SUBJECT, {"type": "nonsense"})
    with pytest.raises(SchemaUnknown):
        registry.schema(987_654)
    assert registry.look_up(SUBJECT, narrower) is None
    assert registry.look_up("nobody-value", load("touchpoint")) is None


@pytest.mark.parametrize("name", CODECS)
def test_records_are_written_and_read_by_its_ids(url: str, name: str) -> None:
    """Also those of a version that somebody else registered and that we have no file of."""
    registry = HttpRegistry(url)
    theirs = registry.register(SUBJECT, newer())
    value = Bodies(plain(newer())).one({**touchpoint(), "mood": "calm"}, head(theirs))
    reader = codec(name).decoder("touchpoint", HttpRegistry(url))
    ours = Encoder("touchpoint", registry, SUBJECT).encode(touchpoint())
    assert reader.decode_all([ours, value] * 50) == [touchpoint()] * 100
    assert Decoder("touchpoint", registry).decode(value) == touchpoint()


def test_clickhouse_reads_with_it(url: str, shared: Installation) -> None:
    value = Encoder("touchpoint", HttpRegistry(url), SUBJECT).encode(touchpoint())
    host, port = shared.clickhouse()
    source = f"format(AvroConfluent, 'event_id String, event_type String', unhex('{value.hex()}'))"
    with Client(host, port) as client:
        found = client.execute(f"SELECT * FROM {source}", settings={"format_avro_schema_registry_url": url})
    assert found == [(touchpoint()["event_id"], touchpoint()["event_type"])]


def test_the_whole_pipeline_runs_on_it(url: str, make: Maker) -> None:
    installation = make(registry_url=url).up()
    sent = installation.told("simulate", "--speed", "max", "--for", "5s", "--rate", "100")
    installation.wait_idle()
    assert installation.number("SELECT count() FROM touchpoints FINAL") == sent["expected"]["stored"]
    account = installation.told("reconcile")
    assert account["unexplained"] == 0
    installation.down()
