"""What a job will take, before it is begun: seconds and memory, as both sides of the border say it.

evaluations   what its stages ask of the networks: the floor
networks      what one picture costs in them
base          the networks of a base, from its folder
speed         how fast this machine is, as measured
forecast      all of it together
"""

from __future__ import annotations

from .base import STABLE_DIFFUSION_BASE as STABLE_DIFFUSION_BASE
from .base import Base as Base
from .base import read_base as read_base
from .forecast import GB as GB
from .forecast import Forecast as Forecast
from .forecast import duration as duration
from .forecast import forecast as forecast
from .forecast import memory as memory
from .forecast import of_request as of_request
from .forecast import settings_of as settings_of
from .forecast import words as words
from .speed import SPEED_FILE as SPEED_FILE
from .speed import Speed as Speed
from .speed import read_speed as read_speed
from .speed import write_speed as write_speed
