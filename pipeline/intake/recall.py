"""Which sources were stopped when this process began: the open alerts tell, so that none stays open for ever after a restart."""

import asyncio
import logging
from typing import Final

from pipeline.config import Settings
from pipeline.endpoints import NotRunning
from pipeline.intake.sources import Sources
from pipeline.watch.alert_log import AlertsUnavailable, read_now
from schemas.registry import RegistryUnavailable

logger = logging.getLogger("touchstream.intake")
FIRST_S: Final = 1.0
LONGEST_S: Final = 30.0


async def recall(settings: Settings, sources: Sources) -> None:
    """Tell the sources once of the alerts that are there, as soon as Kafka can be read."""
    pause_s = FIRST_S
    while True:
        try:
            alerts = await read_now(settings)
        except (AlertsUnavailable, NotRunning, RegistryUnavailable) as trouble:
            logger.info("earlier alerts cannot be read yet: %s", trouble)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_S)
        else:
            sources.recall(alerts.values())
            return
