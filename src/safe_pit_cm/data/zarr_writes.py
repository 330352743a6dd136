"""Wait for all that Zarr writes, also where one write fails."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from zarr.core.sync import sync


async def _others_end() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def ended() -> Iterator[None]:
    """Leave a block that writes with Zarr only once nothing is written any more.

    Zarr writes several files at a time and raises as soon as one of them fails, while it goes on with the others. A
    store removed at that moment would stand there again, in part.
    """
    try:
        yield
    except BaseException:
        sync(_others_end())
        raise
