"""Run a stage with a log of its progress and time, and of errors in one sentence."""

import errno
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from safe_pit_cm.errors import UserError

logger = logging.getLogger("safe_pit_cm")


class _LogFile(logging.FileHandler):
    """A log file. What cannot be written to it, as on a full disk, goes to standard error, without a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - a method of logging
        print(self.format(record), file=sys.stderr)

    def close(self) -> None:
        # Closing writes again what could not be written.
        with suppress(OSError):
            super().close()


def _for_the_user(error: BaseException) -> UserError | None:
    """Error with a message for the user, or None for an internal error, which needs a traceback."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return UserError(f"no space is left to write {error.filename or 'the output'}; free some space and run again")
    if isinstance(error, OSError) and error.errno in {errno.EACCES, errno.EPERM, errno.EROFS} and error.filename:
        return UserError(f"no permission to write or read {error.filename}; check its owner and mode, and run again")
    return None


def every_tenth(log: logging.Logger, steps: int) -> Callable[[int, float, float], None]:
    """Progress of a fit of ``steps`` steps: log the step, its SAFE loss and α at every tenth of them."""

    def progress(step: int, loss: float, alpha: float) -> None:
        if step % max(1, steps // 10) == 0:
            log.info("step %d of %d: SAFE loss %.3e, α = %.6f", step, steps, loss, alpha)

    return progress


@contextmanager
def stage(log: str) -> Iterator[logging.Logger]:
    """Run the body of a workflow script, with the log file ``log``.

    An error that a user can correct ends the process with status 1 and one sentence in the log; any other error is
    logged with its traceback. If the log cannot be written, its lines go to standard error.

    Yields
    ------
    logging.Logger
        Writes to ``log``, line by line, so that ``tail -f`` shows progress.
    """
    handler = _LogFile(log, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(handler)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    started = time.perf_counter()
    try:
        yield logger
        logger.info("done in %.2f s, excluding imports", time.perf_counter() - started)
    except Exception as error:
        sentence = _for_the_user(error)
        if sentence is None:
            logger.exception("an error in safe-pit-cm itself")
        else:
            logger.error("%s", sentence)
        raise SystemExit(1) from None
    finally:
        logger.removeHandler(handler)
        logging.getLogger("py.warnings").removeHandler(handler)
        handler.close()
