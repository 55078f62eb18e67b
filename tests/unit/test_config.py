"""Settings: environment over file over default, every fault at once, and no secret shown."""

from pathlib import Path

import pytest

from pipeline.config import PREFIX, ConfigError, Settings, installation_secret, load, shown

LONG_SECRET = "a secret of more than sixteen bytes"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this machine's environment nor a file of its own."""
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def toml(path: Path, text: str) -> Path:
    """A settings file."""
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_hold() -> None:
    """And they fit."""
    settings = load()
    assert settings == Settings.model_validate({})
    assert (settings.topic_prefix, settings.topic_partitions, settings.home) == ("cx.", 4, Path(".touchstream"))


def test_environment_comes_before_file_before_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each where the one before it is silent."""
    file = toml(tmp_path / "a.toml", "kafka_port = 1111\nclickhouse_port = 2222\n")
    monkeypatch.setenv("TOUCHSTREAM_KAFKA_PORT", "3333")
    settings = load(file)
    assert (settings.kafka_port, settings.clickhouse_port, settings.serve_port) == (3333, 2222, 0)


def test_a_tables_name_is_put_before_its_keys(tmp_path: Path) -> None:
    """`[kafka] port` is `kafka_port`."""
    settings = load(
        toml(tmp_path / "a.toml", "timezone = 'Europe/Berlin'\n[kafka]\nport = 1111\n[topic]\nprefix = 'a.b.'\n")
    )
    assert (settings.timezone, settings.kafka_port, settings.topic_prefix) == ("Europe/Berlin", 1111, "a.b.")


def test_the_file_is_found_by_name_by_variable_or_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order."""
    toml(tmp_path / "touchstream.toml", "kafka_port = 1")
    assert load().kafka_port == 1
    monkeypatch.setenv("TOUCHSTREAM_CONFIG", str(toml(tmp_path / "by-variable.toml", "kafka_port = 2")))
    assert load().kafka_port == 2
    assert load(toml(tmp_path / "by-name.toml", "kafka_port = 3")).kafka_port == 3


def test_a_file_that_was_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By argument or by variable; the one in the working directory need not be."""
    with pytest.raises(ConfigError, match=r"cannot read the settings file .*none\.toml: No such file"):
        load(tmp_path / "none.toml")
    monkeypatch.setenv("TOUCHSTREAM_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match="cannot read"):
        load()


@pytest.mark.parametrize("content", [b"kafka_port = ", b"kafka_port = 1\nkafka_port = 2", b"home = '\xff'"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    """With its name and no stack trace."""
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"a\.toml is not TOML"):
        load(path)


def test_every_fault_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment, from the file, and of names that are no settings."""
    monkeypatch.setenv("TOUCHSTREAM_KAFKA_PROT", "9092")
    monkeypatch.setenv("TOUCHSTREAM_KAFKA_PORT", "far")
    file = toml(tmp_path / "a.toml", "timezone = 'Mars/Olympus'\ncolour = 'red'\n[serve]\nport = 70000\n")
    with pytest.raises(ConfigError) as fault:
        load(file)
    lines = str(fault.value).splitlines()
    assert lines[0] == "the settings do not fit:"
    for name in ("TOUCHSTREAM_KAFKA_PROT", "kafka_port", "timezone", "colour", "serve_port"):
        assert any(line.startswith(f"  {name}: ") for line in lines), name
    assert len(lines) == 6


def test_variables_of_tests_are_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are no settings, and no misspelt ones."""
    monkeypatch.setenv("TOUCHSTREAM_TEST_CLICKHOUSE", "127.0.0.1:1")
    load()


WRONG = {
    "TOUCHSTREAM_KAFKA_BOOTSTRAP": ["localhost", ":9092", "a:b", "a:99999", "a:1,b", "a:²"],
    "TOUCHSTREAM_CLICKHOUSE_ADDRESS": ["localhost"],
    "TOUCHSTREAM_TOPIC_PREFIX": ["cx", "CX.", "a b."],
    "TOUCHSTREAM_CLICKHOUSE_DATABASE": ["a-b", "a;b", ""],
    "TOUCHSTREAM_TIMEZONE": ["", "../etc/passwd", "Nowhere"],
    "TOUCHSTREAM_REGISTRY_URL": ["registry:8081", "ftp://registry", "https://ann:geheim@registry"],
    "TOUCHSTREAM_SECRET": ["too short"],
    "TOUCHSTREAM_KAFKA_HEAP_MB": ["1"],
    "TOUCHSTREAM_TOPIC_PARTITIONS": ["0", "513"],
    "TOUCHSTREAM_LOG_LEVEL": ["loud"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_values_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the setting's name, and without saying a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name.removeprefix(PREFIX).lower()) as fault:
        load()
    assert "geheim" not in str(fault.value)
    assert "too short" not in str(fault.value)


@pytest.mark.parametrize("value", ["a:1", "a:1,b:2", "[::1]:9092", ""])
def test_right_addresses_are_taken(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One, several, IPv6, none."""
    monkeypatch.setenv("TOUCHSTREAM_KAFKA_BOOTSTRAP", value)
    assert load().kafka_bootstrap == value


def test_settings_cannot_be_changed() -> None:
    """One frozen object."""
    with pytest.raises(ValueError, match="frozen"):
        load().kafka_port = 1


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden where set, empty where not, and every other setting in full."""
    for name in ("SECRET", "CLICKHOUSE_PASSWORD"):
        monkeypatch.setenv(PREFIX + name, LONG_SECRET)
    settings = load()
    found = shown(settings)
    assert set(found) == set(Settings.model_fields)
    assert (found["secret"], found["clickhouse_password"], found["registry_password"]) == ("********", "********", "")
    assert LONG_SECRET not in repr(settings) + str(found)


def test_a_codec_that_is_not_installed_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install; `auto` does without it."""
    monkeypatch.setattr("pipeline.config.find_spec", lambda _: None)
    monkeypatch.setenv("TOUCHSTREAM_CODEC", "arrow")
    with pytest.raises(ConfigError, match=r"codec: .*needs pyarrow and pyruhvro: install touchstream\[arrow\]"):
        load()
    monkeypatch.setenv("TOUCHSTREAM_CODEC", "auto")
    assert load().codec == "auto"


def test_every_setting_is_described() -> None:
    """A sentence for each."""
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_installations_secret_is_made_once(tmp_path: Path) -> None:
    """And is readable by its owner alone; a secret that was given comes before it."""
    settings = Settings.model_validate({"home": tmp_path / "home"})
    first = installation_secret(settings)
    assert len(first) == 64
    assert installation_secret(settings) == first
    assert (tmp_path / "home" / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["secret"]
    given = Settings.model_validate({"home": tmp_path / "home", "secret": LONG_SECRET})
    assert installation_secret(given) == LONG_SECRET.encode()
