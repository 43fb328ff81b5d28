"""What touches files of a job folder: each rule is a function from the files to the sentences that say who breaks it.

`test_border.py` applies them to this repository, and to made-up offenders to show that they can fail.
"""

from __future__ import annotations

import ast

from tests.architecture.layers import room_of
from tests.architecture.source import Files, imports, python

HOME = "addon/protocol/inside.py"
ROOMS = {
    "addon.protocol", "addon.jobs", "addon.scene", "addon.ui", "addon.cli", "addon.api",
    "backend.runtime", "backend.systems", "backend.cli", "backend.farm", "backend.__main__",
}  # fmt: skip

FUNCTIONS = {
    "open", "io.open", "np.fromfile", "filecmp.cmp", "Image.open",
    *(f"os.{name}" for name in (
        "open", "replace", "rename", "renames", "unlink", "remove", "removedirs", "mkdir", "makedirs", "rmdir",
        "truncate", "link", "symlink", "walk", "scandir", "listdir", "chmod", "utime", "mkfifo",
    )),
    *(f"shutil.{name}" for name in ("rmtree", "copyfile", "copy", "copy2", "copytree", "move", "unpack_archive")),
}  # fmt: skip
METHODS = {
    "open", "read_bytes", "read_text", "write_bytes", "write_text", "mkdir", "touch", "unlink", "rmdir", "rename",
    "symlink_to", "hardlink_to", "chmod", "glob", "rglob", "iterdir", "walk",
}  # fmt: skip

# Who does so all the same -> why. A function's name, or `*` for a whole module.
BY_THEMSELVES = {
    ("addon/protocol/job_folder.py", "make_folder"): "fills a folder that it has just made, under a name of its own",
    ("addon/protocol/job_folder.py", "make_job"): "makes the folder of job folders",
    ("addon/protocol/subjects.py", "list_subjects"): "the folder of kept subjects",
    ("addon/protocol/subjects.py", "keep_subject"): "makes the folder of kept subjects, and removes what is half made",
    ("addon/protocol/subjects.py", "delete_subject"): "removes the whole folder; rmtree follows no link",
    ("addon/protocol/models/installed.py", "list_installed"): "the folder of models",
    ("addon/jobs/batch.py", "pictures_in"): "the artist's folder of pictures",
    ("addon/jobs/batch.py", "_has_inputs"): "compares copies after `is_inside`",
    ("addon/jobs/farm.py", "send"): "the arguments of a command, in a temporary folder",
    ("addon/jobs/png.py", "read_plain_png"): "a picture that `thumbnail` or a panel has found with `is_inside`",
    ("addon/jobs/queue.py", "__init__"): "makes the folder of job folders",
    ("addon/jobs/store.py", "list_jobs"): "the folder of job folders",
    ("addon/jobs/index.py", "_folders"): "the folder of job folders",
    ("addon/jobs/store.py", "remove"): "removes the whole folder; rmtree follows no link",
    ("addon/jobs/store.py", "leftovers"): "the folder of job folders",
    ("addon/jobs/store.py", "_is_left"): "asks what lies in a folder that no job is any more",
    ("addon/jobs/store.py", "remove_leftovers"): "removes whole folders; rmtree follows no link",
    ("addon/jobs/store.py", "_files"): "counts sizes with lstat; walk follows no link",
    ("addon/protocol/preflight/base_networks.py", "*"): "the folder of a model",
    ("addon/protocol/preflight/speed.py", "*"): "a file in the backend's environment",
    ("addon/scene/image_files.py", "*"): "pictures of the .blend, into a temporary folder",
    ("addon/scene/assets.py", "set_preview"): "a picture that `file_in` has found",
    ("addon/scene/points.py", "*"): "points that `file_in` has found",
    ("addon/scene/result_files.py", "check_mesh_file"): "a mesh that `file_in` has found",
    ("addon/ui/fill_in.py", "_at_hand"): "the artist's own file, and a copy of it after `is_inside`",
    ("addon/ui/install.py", "*"): "the folder of the installation",
    ("backend/__main__.py", "_run"): "removes the folder that it has just made; rmtree follows no link",
    ("backend/systems/base_model.py", "*"): "the folders of installed models",
    ("backend/cli/new_job.py", "make_or_resume"): "asks whether --out is empty",
    ("backend/cli/new_job.py", "_is_copy"): "the file that is given on the command line",
    ("backend/cli/gpus.py", "*"): "the folder of torch",
    ("backend/cli/doctor.py", "*"): "the weights of the embedded prior",
    ("backend/farm/plan.py", "job_folders"): "the folder of job folders",
    ("backend/farm/plan.py", "write"): "makes the folder of a farm's files, and lets scripts in it be run",
    ("backend/farm/flamenco.py", "made"): "the job type that lies beside it",
    ("backend/farm/ray_driver.py", "run"): "the plan that is given on the command line",
    ("backend/runtime/checkpoint.py", "write_whole"): "makes the folder of a file that is in no job",
    ("backend/runtime/cores.py", "_idle_seconds"): "what Linux says of its processor",
    ("backend/runtime/machine.py", "maquette_version"): "the manifest",
    ("backend/runtime/machine.py", "free_memory_bytes"): "what Linux says of its memory",
    ("backend/runtime/machine.py", "own_peak_bytes"): "what Linux says of this process",
    ("backend/runtime/streams.py", "reserve_streams"): "the null device",
}

WITH_NETWORK = ("addon/install/", "backend/embedded/", "backend/models/fetching.py")
NETWORK = ("socket", "ssl", "http", "urllib.request", "ftplib", "smtplib", "requests", "httpx", "huggingface_hub")
LOADERS = {"from_pretrained", "load_ip_adapter", "load_lora_weights", "load_textual_inversion", "from_single_file"}


def one_place_for_files_of_a_job(files: Files) -> list[str]:
    """In the rooms that know job folders nothing but HOME opens, makes, lists, renames or removes by itself."""
    problems, needless = [], {key for key in BY_THEMSELVES if key[0] in files}
    for path, text in python(files, "addon", "backend"):
        if room_of(path) not in ROOMS or path == HOME:
            continue
        for function, call in calls(ast.parse(text, path)):
            if not touches_files(call):
                continue
            keys = {(path, function), (path, "*")}
            needless -= keys
            if not keys & BY_THEMSELVES.keys():
                name = ast.unparse(call.func)
                problems.append(f"{path}:{call.lineno} calls {name}; {HOME} follows no link in a job folder")
    return problems + [
        f"tests/architecture/border.py: {path}, {function} needs no place in BY_THEMSELVES"
        for path, function in sorted(needless)
    ]


def calls(tree: ast.AST, function: str = "") -> list[tuple[str, ast.Call]]:
    """Return all calls with the name of the innermost function or method that they stand in."""
    found = []
    for node in ast.iter_child_nodes(tree):
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        found += [(function, node)] if isinstance(node, ast.Call) else []
        found += calls(node, inner)
    return found


def touches_files(call: ast.Call) -> bool:
    """Say whether a call does something with a file: `os.open(...)`, or `path.unlink()` of whatever object."""
    name = ast.unparse(call.func)
    if name in FUNCTIONS:
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    # `str.replace` takes two arguments, `Path.replace` one; `objects.unlink(mesh)` of Blender takes one, `Path` none.
    takes = len(call.args)
    if call.func.attr == "replace":
        return takes == 1 and not call.keywords
    return call.func.attr in METHODS and not (call.func.attr == "unlink" and takes)


def nothing_is_downloaded(files: Files) -> list[str]:
    """Jobs use no network: what is loaded is on this machine. Only the installation, by pip, and trainers may."""
    problems = []
    for path, text in python(files, "addon", "backend"):
        if path.startswith(WITH_NETWORK):
            continue
        problems += [
            f"{path}:{item.line} imports {item.target}, which opens connections"
            for item in imports(path, text)
            if any(f"{item.target}.".startswith(f"{name}.") for name in NETWORK)
        ]
        problems += [
            f"{path}:{call.lineno} calls {ast.unparse(call.func)} without local_files_only=True"
            for _, call in calls(ast.parse(text, path))
            if ast.unparse(call.func).rpartition(".")[2] in LOADERS
            and not any(k.arg == "local_files_only" and ast.unparse(k.value) == "True" for k in call.keywords)
        ]
    return problems
