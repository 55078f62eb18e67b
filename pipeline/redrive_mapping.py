"""Which mapping reads the rejected bodies of a source again: that of its keys, as it is now."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.config import Settings, installation_secret
from pipeline.intake import keyfile
from pipeline.intake.keys import Key
from pipeline.intake.mapped import Mapped
from pipeline.intake.mapping_files import find
from pipeline.replay.fields import MappingFault
from pipeline.replay.plan import Mapping


@dataclass(frozen=True, slots=True)
class Mappings:
    """The mappings of all sources. `find` gives one by its name or path, or raises MappingFault; `secret` keys event ids."""

    keys: tuple[Key, ...]
    find: Callable[[str], Mapping]
    secret: bytes
    fault: str = ""

    def of(self, source: str) -> Mapped | str:
        """The mapping of a source, or why there is none."""
        if self.fault:
            return self.fault
        named = {key.mapping for key in self.keys if key.source == source and key.mapping}
        if not named:
            return "no key of its source has a mapping: `touchstream keys add SOURCE --mapping NAME` gives it one"
        if len(named) > 1:
            return f"the keys of its source have different mappings ({', '.join(sorted(named))}): leave it one"
        (name,) = named
        try:
            return Mapped(self.find(name), self.secret)
        except MappingFault as fault:
            return str(fault)


NONE = Mappings((), find, b"")


def mappings_of(settings: Settings) -> Mappings:
    """Those of this installation. Raises OSError when its secret cannot be kept."""
    try:
        keys: Iterable[Key] = keyfile.read(keyfile.path(settings))
    except keyfile.KeysUnreadable as error:
        return Mappings((), find, b"", str(error))
    return Mappings(tuple(keys), find, installation_secret(settings))
