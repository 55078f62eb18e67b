"""Our schemas into a schema registry: every version of every topic's record, and the rule that each must read every other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from schemas.registry import HttpRegistry, catalogue_of_files, load

COMPATIBILITY: Final = "FULL_TRANSITIVE"


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a record in one subject: `missing` it is only in a dry run; the id is the registry's, not ours."""

    subject: str
    record: str
    version: int
    state: Literal["known", "registered", "missing"]
    schema_id: int | None


def register(registry: HttpRegistry, subjects: Mapping[str, str], *, dry_run: bool = False) -> Iterator[Registered]:
    """Register what each subject (subject -> record) lacks, oldest version first, and say so one by one.

    Repeating it changes nothing. A dry run only asks. Raises RegistryRefused, RegistryUnavailable; what was said before is done.
    """
    for subject, record in subjects.items():
        if not dry_run:
            registry.set_compatibility(subject, COMPATIBILITY)
        for version in sorted(version for name, version in catalogue_of_files().values() if name == record):
            schema = load(record, version)
            known = registry.look_up(subject, schema)
            if known is not None:
                yield Registered(subject, record, version, "known", known)
            elif dry_run:
                yield Registered(subject, record, version, "missing", None)
            else:
                yield Registered(subject, record, version, "registered", registry.register(subject, schema))
