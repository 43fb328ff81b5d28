"""The border of the add-on and the backend: what both say, which files they share, and how they are read and written.

    request, typed_json     what is asked for, checked field by field
    from_images             a request from words and images
    events                  what happens, and commands: one line of JSON each
    job_folder              names of its files, whether it runs, making one
    subjects                what was learnt of a subject, kept for other jobs
    queue_files             the order of a queue of job folders
    inside                  opening, making, renaming, removing what is in a folder, never through a link
    shared_files            locks
    plain_text              what strangers have written, for a terminal
    pictured                where in its picture an object was
    phrases                 sentences that can be translated before they are filled in
    preflight/              how long a job will take, and how much memory
    arguments               what both command lines ask about a system
    systems/                the table of systems: settings, presets, stages, rules of requests

Both sides import this one package and say `protocol.X`; it needs nothing but the standard library.
"""

from __future__ import annotations

from .arguments import FARM_OPTIONS as FARM_OPTIONS
from .arguments import FARMS as FARMS
from .arguments import Parser as Parser
from .arguments import add_farm as add_farm
from .arguments import add_mask as add_mask
from .arguments import add_set as add_set
from .arguments import add_stop_after as add_stop_after
from .arguments import add_subject as add_subject
from .arguments import add_subjects as add_subjects
from .arguments import add_system as add_system
from .arguments import named_value as named_value
from .edits import describe_edit as describe_edit
from .events import LAST as LAST
from .events import LINE_BYTES as LINE_BYTES
from .events import Cancel as Cancel
from .events import Cancelled as Cancelled
from .events import Command as Command
from .events import Compiling as Compiling
from .events import Event as Event
from .events import Failed as Failed
from .events import Finish as Finish
from .events import Finished as Finished
from .events import Forecast as Forecast
from .events import Hello as Hello
from .events import Idle as Idle
from .events import Interrupted as Interrupted
from .events import Last as Last
from .events import Message as Message
from .events import Preview as Preview
from .events import Progress as Progress
from .events import Stage as Stage
from .events import Turn as Turn
from .events import Warning as Warning
from .events import decode as decode
from .events import encode as encode
from .from_images import describe as describe
from .from_images import image_fields as image_fields
from .from_images import input_images as input_images
from .from_images import proposed_prompt as proposed_prompt
from .from_images import takes_prompt_of_name as takes_prompt_of_name
from .inside import LINK_HINT as LINK_HINT
from .inside import OPEN as OPEN
from .inside import PRIVATE as PRIVATE
from .inside import LinkInside as LinkInside
from .inside import check_writable as check_writable
from .inside import file_size as file_size
from .inside import files_inside as files_inside
from .inside import is_folder_inside as is_folder_inside
from .inside import is_inside as is_inside
from .inside import make_folder_in as make_folder_in
from .inside import open_descriptor as open_descriptor
from .inside import open_file as open_file
from .inside import path_inside as path_inside
from .inside import remove_inside as remove_inside
from .inside import rename_inside as rename_inside
from .inside import write_whole as write_whole
from .job_folder import CORES_FILE as CORES_FILE
from .job_folder import DISK_FULL as DISK_FULL
from .job_folder import EVENTS_FILE as EVENTS_FILE
from .job_folder import INPUT_BYTES as INPUT_BYTES
from .job_folder import LOCK_FILE as LOCK_FILE
from .job_folder import LOG_FILE as LOG_FILE
from .job_folder import MESH_FILE as MESH_FILE
from .job_folder import PICTURE_FILE as PICTURE_FILE
from .job_folder import POINTS_FILE as POINTS_FILE
from .job_folder import PREVIEW_FILE as PREVIEW_FILE
from .job_folder import RECORD_FILE as RECORD_FILE
from .job_folder import REQUEST_FILE as REQUEST_FILE
from .job_folder import RESULT_FILE as RESULT_FILE
from .job_folder import RESULT_FILES as RESULT_FILES
from .job_folder import RESULT_FOLDER as RESULT_FOLDER
from .job_folder import SPLATS_FILE as SPLATS_FILE
from .job_folder import STAGES_FOLDER as STAGES_FOLDER
from .job_folder import TURNTABLE_FILE as TURNTABLE_FILE
from .job_folder import is_running as is_running
from .job_folder import make_folder as make_folder
from .job_folder import make_job as make_job
from .job_folder import megabytes as megabytes
from .job_folder import read_request as read_request
from .job_folder import write_request as write_request
from .phrases import Phrase as Phrase
from .phrases import joined as joined
from .phrases import packed as packed
from .phrases import sentence_of as sentence_of
from .phrases import unpacked as unpacked
from .pictured import Pictured as Pictured
from .pictured import read_pictured as read_pictured
from .plain_text import plain_text as plain_text
from .queue_files import COMMANDS_FILE as COMMANDS_FILE
from .queue_files import HOLD_FILE as HOLD_FILE
from .queue_files import MOST_WORKERS as MOST_WORKERS
from .queue_files import OWNER_FILE as OWNER_FILE
from .queue_files import QUEUE_FILE as QUEUE_FILE
from .queue_files import STAY_FILE as STAY_FILE
from .queue_files import TAKEN_FILE as TAKEN_FILE
from .queue_files import TURNS_LOCK_FILE as TURNS_LOCK_FILE
from .queue_files import Tie as Tie
from .queue_files import has_begun as has_begun
from .queue_files import new_turn as new_turn
from .queue_files import read_turns as read_turns
from .queue_files import worker_lock as worker_lock
from .queue_files import write_turns as write_turns
from .remeshing import describe_remesh as describe_remesh
from .request import IMAGES as IMAGES
from .request import INPUT_FOLDER as INPUT_FOLDER
from .request import OF_A_SUBJECT as OF_A_SUBJECT
from .request import OUTPUTS as OUTPUTS
from .request import PROMPT_CHARACTERS as PROMPT_CHARACTERS
from .request import START_FILE as START_FILE
from .request import START_VALUES as START_VALUES
from .request import SUBJECT_FOLDER as SUBJECT_FOLDER
from .request import SUBJECT_RECORD as SUBJECT_RECORD
from .request import VERSION as VERSION
from .request import InputImage as InputImage
from .request import Request as Request
from .request import Setting as Setting
from .request import VersionError as VersionError
from .request import check_fits as check_fits
from .request import decode_request as decode_request
from .request import encode_request as encode_request
from .request import plain as plain
from .shared_files import LOCK_BYTE as LOCK_BYTE
from .shared_files import is_locked as is_locked
from .shared_files import take_lock as take_lock
from .shared_files import try_lock as try_lock
from .subjects import TAUGHT_FILE as TAUGHT_FILE
from .subjects import Subject as Subject
from .subjects import SubjectRecord as SubjectRecord
from .subjects import Taught as Taught
from .subjects import decode_record as decode_record
from .subjects import delete_subject as delete_subject
from .subjects import encode_record as encode_record
from .subjects import encode_taught as encode_taught
from .subjects import find_subject as find_subject
from .subjects import keep_subject as keep_subject
from .subjects import list_subjects as list_subjects
from .subjects import read_record as read_record
from .subjects import read_subject as read_subject
from .subjects import subject_files as subject_files
from .subjects import subject_line as subject_line
from .systems import DEFAULT_SYSTEM as DEFAULT_SYSTEM
from .systems import FROM_RESULT as FROM_RESULT
from .systems import KEPT_SUBJECT as KEPT_SUBJECT
from .systems import PRESETS as PRESETS
from .systems import ROLES as ROLES
from .systems import SYSTEMS as SYSTEMS
from .systems import WrongSetting as WrongSetting
from .systems import built_systems as built_systems
from .systems import check_settings as check_settings
from .systems import first_role as first_role
from .typed_json import NotJson as NotJson
from .typed_json import ProtocolError as ProtocolError
from .typed_json import parse as parse
