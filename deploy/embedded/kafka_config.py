"""How the embedded Kafka is configured: one node, small topics, restarts that keep everything."""

from pathlib import Path

from deploy.embedded.ports import HOST, Ports

MEBIBYTE = 1024 * 1024
LARGEST_MESSAGE = 16 * MEBIBYTE
_YEAR_MINUTES = 365 * 24 * 60

_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    # Relative to the working directory: Kafka splits this value at commas and reads the file as Latin-1, and a home
    # may have any name.
    "log.dirs": "data",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    # After a crash the controller lets the node in again only when its former session has run out.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.recovery.threads.per.data.dir": "2",
}
_TOPICS = {
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "message.max.bytes": str(LARGEST_MESSAGE),
    "replica.fetch.max.bytes": str(LARGEST_MESSAGE),
}
_GROUPS = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "2000",
    # A home that was left alone for weeks goes on where it stopped.
    "offsets.retention.minutes": str(_YEAR_MINUTES),
    "transaction.max.timeout.ms": "300000",
}
_DISK = {
    "log.segment.bytes": str(64 * MEBIBYTE),
    "log.index.size.max.bytes": str(MEBIBYTE),
    "log.retention.check.interval.ms": "60000",
    "log.cleaner.backoff.ms": "5000",
    # A quarter of the default heap would be the default; this holds more than a million keys a pass.
    "log.cleaner.dedupe.buffer.size": str(32 * MEBIBYTE),
}


def server_properties(ports: Ports) -> str:
    """The content of `server.properties` for a node that listens on `ports` of 127.0.0.1 only."""
    broker, controller = f"{HOST}:{ports.broker}", f"{HOST}:{ports.controller}"
    where = {
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "controller.quorum.voters": f"1@{controller}",
    }
    settings = _NODE | where | _TOPICS | _GROUPS | _DISK
    return "# Written at every start of the embedded Kafka: changes made here are lost.\n" + _lines(settings)


def logging_properties(size_mb: int = 4) -> str:
    """The content of Log4j's configuration: warnings only, into `server.log`, two files of at most `size_mb` MiB."""
    return _lines(
        {
            "status": "error",
            "appender.file.type": "RollingFile",
            "appender.file.name": "file",
            "appender.file.fileName": "server.log",
            "appender.file.filePattern": "server.log.%i",
            "appender.file.layout.type": "PatternLayout",
            "appender.file.layout.pattern": "%d{ISO8601} %-5p %c{1} %m%n",
            "appender.file.policies.type": "Policies",
            "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
            "appender.file.policies.size.size": f"{size_mb}MB",
            "appender.file.strategy.type": "DefaultRolloverStrategy",
            "appender.file.strategy.max": "1",
            "rootLogger.level": "warn",
            "rootLogger.appenderRef.file.ref": "file",
        }
    )


def java_flags(heap_mb: int, directory: Path, home_mark: str) -> list[str]:
    """What Java is told, for the working directory `directory`; `home_mark` shows whose process it is.

    The quick compiler alone halves the start and its work, and gives up a tenth of the most that a broker with two
    cores to itself can take; one thread collects garbage, because the cores belong to the stages.
    """
    return [
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-XX:ErrorFile=java_crash.log",
        "--enable-native-access=ALL-UNNAMED",
        "-Djava.awt.headless=true",
        f"-Djava.io.tmpdir={directory / 'tmp'}",
        "-Dlog4j2.configurationFile=logging.properties",
        home_mark,
    ]


def class_path(jars: list[Path]) -> str:
    """The class path for Java."""
    return ":".join(str(jar.absolute()) for jar in jars)


def _lines(settings: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())
