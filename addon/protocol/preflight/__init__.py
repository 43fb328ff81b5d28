"""What a job will take, before it is begun: seconds and memory, as both sides of the border say it.

networks        what one picture costs in a model's networks
base_networks   those of a base, from its folder
speed           how fast this machine is, as measured
forecast        both, and what the stages ask (systems/floors.py), together
fit             whether that fits into the memory that is free
panel_line      the same in one line, kept for the next redraw
"""

from __future__ import annotations

from .base_networks import STABLE_DIFFUSION_BASE as STABLE_DIFFUSION_BASE
from .base_networks import Base as Base
from .base_networks import read_base as read_base
from .fit import TOGETHER as TOGETHER
from .fit import Fit as Fit
from .fit import fitting as fitting
from .forecast import GB as GB
from .forecast import Forecast as Forecast
from .forecast import duration as duration
from .forecast import forecast as forecast
from .forecast import memory as memory
from .forecast import of_request as of_request
from .forecast import settings_of as settings_of
from .forecast import words as words
from .panel_line import UNMEASURED as UNMEASURED
from .panel_line import panel_fit as panel_fit
from .panel_line import panel_line as panel_line
from .speed import SPEED_FILE as SPEED_FILE
from .speed import Speed as Speed
from .speed import gain as gain
from .speed import read_speed as read_speed
from .speed import write_speed as write_speed
