"""All settings, in one frozen object: environment (`TOUCHSTREAM_*`) over a TOML file over the defaults."""

import os
import secrets
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline import crash

PREFIX = "TOUCHSTREAM_"
SECRET_BYTES = 16
PROBE_INTERVAL_S = 10.0
"""How often a probe goes out where only that there shall be some is said."""


class ConfigError(Exception):
    """The settings do not fit. Says every fault at once, a line each."""


class Settings(BaseSettings):
    """Every setting with its default. In TOML a table's name is put before its keys: `[kafka] port` is `kafka_port`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True)

    home: Path = Field(Path(".touchstream"), description="Where state, data and logs are kept.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much the processes say.")
    timezone: str = Field("UTC", description="Time zone of day boundaries in windows and on the board.")

    kafka_bootstrap: str = Field("", description="host:port of your own Kafka; empty: the embedded one.")
    kafka_port: int = Field(0, ge=0, le=65535, description="Port of the embedded Kafka; 0: a free one.")
    kafka_jars: Path | None = Field(None, description="Folder with Kafka's jars, for machines without network.")
    kafka_java: str = Field("bundled", description="bundled, system, or the path of a Java of your own (17 or newer).")
    kafka_heap_mb: int = Field(512, ge=256, description="Heap of the embedded Kafka, megabytes.")
    topic_prefix: str = Field("cx.", pattern=r"^([a-z0-9-]+\.)*$", description="Put before every topic's name.")
    topic_partitions: int = Field(
        4, ge=1, le=512, description="Partitions of every partitioned topic; never changed later."
    )
    topic_replication: int = Field(1, ge=1, description="Replicas of every topic; 3 in production.")

    clickhouse_address: str = Field("", description="host:port of your own ClickHouse; empty: the embedded one.")
    clickhouse_port: int = Field(0, ge=0, le=65535, description="Port of the embedded ClickHouse; 0: a free one.")
    clickhouse_user: str = Field("default", description="User at ClickHouse.")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="Password at ClickHouse.")
    clickhouse_database: str = Field(
        "touchstream", pattern=r"^[a-z_][a-z0-9_]*$", description="Database of the tables."
    )
    clickhouse_compression: Literal["none", "lz4", "zstd"] = Field("none", description="Compression on the wire.")

    registry_url: str = Field("", description="Confluent-compatible schema registry; empty: the files in schemas/.")
    registry_user: str = Field("", description="User at the registry.")
    registry_password: SecretStr = Field(SecretStr(""), description="Password at the registry.")

    secret: SecretStr = Field(
        SecretStr(""), description="Keys the hashes of identifiers; empty: one is made and kept in home."
    )

    serve_host: str = Field("127.0.0.1", description="Address that the board and the API listen on.")
    serve_port: int = Field(
        0, ge=0, le=65535, description="Port of the board and the API; 0: a free one, 8400 if it is."
    )

    intake_host: str = Field("127.0.0.1", description="Address that the intake listens on.")
    intake_port: int = Field(0, ge=0, le=65535, description="Port of the intake; 0: a free one, 8401 if it is.")
    intake_keys: Path | None = Field(None, description="File of the sources' keys; none: intake_keys.json in home.")
    intake_timeout_s: float = Field(
        10.0, gt=0, le=300, description="Seconds until a request is answered 503 that Kafka has not acknowledged."
    )
    intake_body_bytes: int = Field(8 << 20, ge=1024, le=64 << 20, description="Largest body of a request.")
    intake_event_bytes: int = Field(512 << 10, ge=1024, le=900 << 10, description="Largest event.")
    intake_events: int = Field(10_000, ge=1, le=100_000, description="Most events of one request.")
    intake_waiting_mb: int = Field(
        64, ge=1, description="Megabytes that may wait for Kafka at once; beyond that requests are answered 503."
    )
    breaker_run: int = Field(
        1000,
        ge=0,
        description="A source is stopped after so many rejected events with nothing good between them; 0: never.",
    )
    breaker_share: float = Field(
        0.9,
        ge=0,
        le=1,
        description="The intake stops a source of whose last 1,000 events so many were rejected; 0: never.",
    )
    breaker_pause_s: float = Field(
        30.0, gt=0, description="Seconds until a little is tried of a source that was stopped."
    )
    strict_touchpoints: bool = Field(False, description="Reject event types that schemas/catalogue.toml does not list.")

    codec: Literal["auto", "fastavro", "arrow"] = Field(
        "auto", description="What reads and writes Avro: arrow is the fast one, auto takes it where it is installed."
    )
    batch_records: int = Field(20_000, ge=1, le=100_000, description="Most records of one partition in one batch.")
    transaction_interval_ms: int = Field(
        200,
        ge=0,
        le=5000,
        description="Shortest time between the beginnings of two transactions of one partition that are not full; "
        "where those of journey take long, up to four times that.",
    )
    instance: str = Field(
        "",
        max_length=200,
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Name of this worker, its own in its group: when it starts again soon, it takes up its partitions at once.",
    )
    session_timeout_s: float = Field(
        10.0, ge=1, description="A processor not heard of for so long has lost its partitions."
    )
    sink_batch_rows: int = Field(20_000, ge=1, description="Most rows of one insert.")
    sink_linger_ms: int = Field(
        300,
        ge=0,
        description="Shortest time between two inserts of touchpoints that are not full, three times that for what follows; "
        "the first comes at once.",
    )

    metrics_host: str = Field("127.0.0.1", description="Address that the processes offer their metrics on.")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65530,
        description="Port of resolve's metrics; journey, sink, probe, intake and watch take the next ones; 0: free ones.",
    )
    watchdog_s: float = Field(
        60.0, ge=0, description="A process that has work and does none for so long ends, to be started again; 0: never."
    )
    probe_interval_s: float = Field(
        0.0, ge=0, description="Seconds between probes of the whole path; 0: none. A probe is stored and counted."
    )
    watch_interval_s: float = Field(
        60.0, gt=0, le=3600, description="Seconds between two judgements of how the sources fare."
    )
    health_slow_share: float = Field(
        0.5, gt=0, lt=1, description="A source is slow below this share of what is usual for the hour."
    )
    health_flood_factor: float = Field(
        3.0, gt=1, description="A source floods above this multiple of what is usual for the hour."
    )
    health_rejected_share: float = Field(
        0.05, gt=0, lt=1, description="A source is told for this share of rejected records, and twice its own past one."
    )
    health_drift_share: float = Field(
        0.2, gt=0, le=1, description="A field drifts when the share of touchpoints that fill it changes by so much."
    )
    sink_refused_share: float = Field(
        0.5, gt=0, le=1, description="The sink stops when this share of a table's last rows was refused."
    )
    sink_refused_rows: int = Field(
        100, ge=1, description="The sink tries at least so many rows before it stops for that."
    )

    state_memory_mb: int = Field(
        256,
        ge=16,
        description="Memory of one stage's process for what it holds of its state, megabytes; the rest is on disk.",
    )
    state_save_s: float = Field(
        30.0,
        gt=0,
        description="Seconds between saves of a stage's state; a restart reads what came after the last one.",
    )
    dedupe_horizon_h: int = Field(24, ge=1, description="Hours of arrival in which an event id is known again.")
    state_horizon_d: int = Field(
        30, ge=1, description="Days before a channel's newest touchpoint in which sessions are corrected."
    )
    journey_gap_h: int = Field(72, ge=1, description="Hours of silence that end a journey.")
    earliest_year: int = Field(1990, ge=1971, le=2100, description="Touchpoints before this year are rejected.")
    future_tolerance_h: int = Field(24, ge=0, description="Touchpoints later than arrival by more hours are rejected.")

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no such time zone: {value!r} (an IANA name such as Europe/Berlin)") from None
        return value

    @field_validator("codec")
    @classmethod
    def _codec_is_installed(cls, value: str) -> str:
        missing = [name for name in ("pyarrow", "pyruhvro") if find_spec(name) is None]
        if value == "arrow" and missing:
            raise ValueError(f"needs {' and '.join(missing)}: install touchstream[arrow], or set it to auto")
        return value

    @field_validator("kafka_bootstrap", "clickhouse_address")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        for part in filter(None, value.split(",")):
            host, _, port = part.rpartition(":")
            if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
                raise ValueError(f"{part!r} is not host:port")
        return value

    @field_validator("registry_url")
    @classmethod
    def _url_without_password(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("is not http:// or https:// and a host")
        if "@" in value.partition("//")[2].partition("/")[0]:
            raise ValueError("must not carry a user or password: set registry_user and registry_password")
        return value

    @field_validator("secret")
    @classmethod
    def _secret_is_long(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value().encode()) < SECRET_BYTES:
            raise ValueError(f"must have at least {SECRET_BYTES} bytes")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file, which `load` hands over as initial values."""
        return env_settings, init_settings


def load(config_file: Path | None = None) -> Settings:
    """Read and validate every setting. Raises ConfigError naming all faults.

    The file is `config_file`, else $TOUCHSTREAM_CONFIG, else touchstream.toml in the working directory where there is one.
    """
    named = config_file or (Path(os.environ[PREFIX + "CONFIG"]) if os.environ.get(PREFIX + "CONFIG") else None)
    path = named or Path("touchstream.toml")
    values = _read(path) if named or path.exists() else {}
    faults = [f"  {name}: no such setting (`touchstream config` lists them all)" for name in _unknown_environment()]
    try:
        settings = Settings(**values)
    except ValidationError as error:
        faults += [f"  {'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors()]
    if faults:
        raise ConfigError("the settings do not fit:\n" + "\n".join(faults))
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the settings file {path} is not TOML: {error}") from None
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        flat.update({f"{key}_{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value})
    return flat


def _unknown_environment() -> list[str]:
    """A misspelt variable would be passed over in silence; that costs people hours."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {PREFIX + "CONFIG", crash.VARIABLE}
    ours = {name for name in os.environ if name.startswith(PREFIX) and not name.startswith(PREFIX + "TEST_")}
    return sorted(ours - known)


def shown(settings: Settings) -> dict[str, str]:
    """The settings as text, with secrets hidden."""
    return {
        name: ("********" if value.get_secret_value() else "") if isinstance(value, SecretStr) else str(value)
        for name, value in settings
    }


def installation_secret(settings: Settings) -> bytes:
    """The secret under which identifiers are hashed; made once and kept in `home` when none is set.

    Raises OSError when home cannot be written.
    """
    given = settings.secret.get_secret_value()
    if given:
        return given.encode()
    path = settings.home / "secret"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        try:
            os.link(fresh, path)  # whoever links first wins, so that two processes agree
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip().encode()
