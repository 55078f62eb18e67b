"""What can go wrong with the embedded Kafka, as one line for the user."""


class EmbeddedKafkaError(Exception):
    """The embedded Kafka cannot be had; `str()` is one line: what is wrong and, in `advice`, what to do."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem}: {advice}")
        self.problem = problem
        self.advice = advice


class PortTakenError(EmbeddedKafkaError):
    """Another program listens on the port that Kafka was to have."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken", "choose another with TOUCHSTREAM_KAFKA_PORT, or leave it out")
        self.port = port


class StartCancelledError(EmbeddedKafkaError):
    """The start was given up because the caller asked for it."""

    def __init__(self) -> None:
        super().__init__("Kafka was stopped before it was ready", "start it again when you need it")
