"""Calibration of a live run: a saved one taken up, a new one made while the run goes on."""

import logging
import time
from pathlib import Path

from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.errors import ConfigError, OutputError
from realtime_vibe.packets import FrameResult
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.cameras import list_cameras
from realtime_vibe.world.calibration import Calibration
from realtime_vibe.world.calibration_file import (
    calibration_path,
    load_calibration,
    save_calibration,
)
from realtime_vibe.world.calibrator import Calibrator, Known

logger = logging.getLogger(__name__)
_SAID_S = 5.0
"""How long the HUD says how a calibration ended."""
_SAME_HEIGHT_M = 0.005
_SAME_FOV_DEG = 0.5


class LiveCalibration:
    """Starts, follows and keeps calibrations; a writer of the run while one is being made.

    It looks at results in the inference thread and never waits for anything.

    Raises:
        ConfigError: the body cannot have the stated height, or several people are to be followed.
    """

    def __init__(self, config: LiveConfig, model: BodyModel, engine: str) -> None:
        if config.person_height is not None and config.max_people > 1:
            raise ConfigError("person-height is that of one person: leave max-people at 1")
        self._config, self._model, self._engine = config, model, engine
        self._known = Known(
            height_m=config.person_height, distance_m=config.distance, fov_deg=config.fov_deg
        )
        self._calibrator: Calibrator | None = None
        Calibrator(model, self._known)  # says now, not after a key, that a height cannot be
        self._live: LiveRun | None = None
        self._path: Path | None = None
        self._ended_at_s = float("-inf")

    @property
    def message(self) -> str:
        """What to do, or how it ended; empty when there is nothing to say."""
        calibrator = self._calibrator
        if calibrator is None:
            return ""
        is_old = calibrator.is_over() and time.perf_counter() - self._ended_at_s > _SAID_S
        return "" if is_old else calibrator.message

    def attach(self, live: LiveRun) -> None:
        """Takes up what is known of the source; before the run starts.

        Calibrations of files are not kept: the next file is another camera.
        """
        self._live, info = live, live.info
        if info.is_live:
            rotate = self._config.rotate
            name = _camera_name(info) + (f" turned {rotate}" if rotate else "")
            self._path = calibration_path(name, (info.width, info.height), self._engine)
        if self._config.calibrate:
            self._begin()
            live.add_writer(self)
        elif self._config.calibrate is None and self._path is not None:
            self._take_up(live, self._path)

    def start(self) -> None:
        """Begins anew; from any thread, while the run goes on."""
        live = self._live
        if live is not None:
            live.post(lambda: self._restart(live))

    def write(self, result: FrameResult) -> None:
        """Takes a result of the run."""
        calibrator, live = self._calibrator, self._live
        if calibrator is None or live is None or calibrator.is_over():
            return
        calibration = calibrator.update(result)
        if calibrator.is_over():
            self._ended_at_s = time.perf_counter()
            logger.info("%s", calibrator.message)
        if calibration is not None:
            live.pipeline.use_calibration(calibration, fix_shape=self._config.max_people == 1)
            self._save(calibration)

    def close(self) -> None:
        """Says so when the run ended before the calibration did."""
        if self._calibrator is not None and not self._calibrator.is_over():
            self._calibrator.give_up()
            logger.warning("the run ended before the %s", self._calibrator.message)

    def _begin(self) -> None:
        self._calibrator = Calibrator(self._model, self._known)
        logger.info("%s", self._calibrator.message)

    def _restart(self, live: LiveRun) -> None:
        # What is measured must not stand on what was measured before.
        live.pipeline.use_calibration(None)
        is_new = self._calibrator is None
        self._begin()
        if is_new:
            live.add_writer(self)

    def _take_up(self, live: LiveRun, path: Path) -> None:
        try:
            calibration = load_calibration(path)
        except OutputError as error:
            logger.warning("%s", error)
            return
        if calibration is None:
            return
        conflict = self._conflict(calibration)
        if conflict:
            logger.warning(
                "the saved calibration has another %s: not used, press c or add --calibrate",
                conflict,
            )
            return
        live.pipeline.use_calibration(calibration, fix_shape=self._config.max_people == 1)
        logger.info("using the calibration in %s (--no-calibrate leaves it out)", path)

    def _conflict(self, calibration: Calibration) -> str:
        height_m, fov_deg = self._known.height_m, self._known.fov_deg
        if height_m is not None and abs(height_m - calibration.height_m) > _SAME_HEIGHT_M:
            return "person-height"
        saved_deg = calibration.fov_deg()
        if fov_deg is not None and (saved_deg is None or abs(fov_deg - saved_deg) > _SAME_FOV_DEG):
            return "fov-deg"
        return "distance" if self._known.distance_m is not None else ""

    def _save(self, calibration: Calibration) -> None:
        if self._path is None:
            return
        try:
            save_calibration(self._path, calibration)
        except OutputError as error:
            logger.warning("%s", error)
        else:
            logger.info("kept in %s", self._path)


def _camera_name(info: SourceInfo) -> str:
    """The product's name where the system knows it: numbers change when cameras are plugged in."""
    for camera in list_cameras():
        if info.name == f"camera {camera.index}":
            return f"{camera.name} {camera.index}"
    return info.name
