"""The pretrained models that an artist may bring: the catalogue by role, and what lies in the folder of models.

    catalogue     what there is, where it comes from, what it weighs and who needs it
    installed     the records of what was fetched or imported

MODELS/bases/NAME, MODELS/companions/ROLE, MODELS/evaluation/NAME: the folder of companions is what `companions` names.
"""

from __future__ import annotations

from .catalogue import BASE as BASE
from .catalogue import CATALOGUE as CATALOGUE
from .catalogue import EMBEDDED_LINE as EMBEDDED_LINE
from .catalogue import EVALUATION as EVALUATION
from .catalogue import ROLES as ROLES
from .catalogue import UNKNOWN as UNKNOWN
from .catalogue import Model as Model
from .catalogue import gigabytes as gigabytes
from .catalogue import known_model as known_model
from .catalogue import size_words as size_words
from .installed import MODEL_RECORD as MODEL_RECORD
from .installed import Installed as Installed
from .installed import ModelRecord as ModelRecord
from .installed import bases_folder as bases_folder
from .installed import check_name as check_name
from .installed import companions_folder as companions_folder
from .installed import encode_model_record as encode_model_record
from .installed import find_installed as find_installed
from .installed import is_name as is_name
from .installed import list_installed as list_installed
from .installed import networks_folder as networks_folder
from .installed import place_of as place_of
from .installed import read_installed as read_installed
