"""What the pure steps are told, by the settings: which registry and codec, how records are judged, how sessions are cut."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipeline.codec import Codec, codec_named
from pipeline.config import Settings, installation_secret
from pipeline.keys import Keyring
from processors.policies import DAY, HOUR, JourneyPolicy
from processors.rekey import Places
from processors.resolve import Admission
from processors.validate import TimeLimits
from schemas import catalogue
from schemas.registry import FileRegistry, HttpRegistry, Registry


def registry_of(settings: Settings) -> Registry:
    """The schema registry that the settings name, or the files in schemas/."""
    if not settings.registry_url:
        return FileRegistry()
    password = settings.registry_password.get_secret_value()
    return HttpRegistry(settings.registry_url, user=settings.registry_user, password=password)


def codec_of(settings: Settings) -> Codec:
    """What reads and writes records. Raises CodecMissing when a wheel that is there cannot be imported."""
    return codec_named(settings.codec)


def admission_of(settings: Settings, registry: Registry) -> Admission:
    """How the resolve stage judges records. Raises OSError when the installation's secret cannot be kept."""
    keyring = Keyring(installation_secret(settings))
    decoder = codec_of(settings).decoder("touchpoint", registry)
    known_types = frozenset(catalogue.listed()) if settings.strict_touchpoints else None
    places = Places(settings.topic_prefix, settings.topic_partitions)
    return Admission(decoder, keyring, limits_of(settings), settings.dedupe_horizon_h, known_types, places)


def limits_of(settings: Settings) -> TimeLimits:
    """Which times of touchpoints the resolve stage accepts."""
    earliest = int(datetime(settings.earliest_year, 1, 1, tzinfo=UTC).timestamp() * 1000)
    return TimeLimits(earliest, settings.future_tolerance_h * HOUR)


def policy_of(settings: Settings) -> JourneyPolicy:
    """How the journey stage cuts sessions and journeys."""
    return JourneyPolicy(
        journey_gap_ms=settings.journey_gap_h * HOUR,
        horizon_ms=settings.state_horizon_d * DAY,
        timezone=UTC if settings.timezone == "UTC" else ZoneInfo(settings.timezone),
    )
