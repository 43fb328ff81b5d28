"""Who may import whom: each rule is a function from the files to the sentences that say who breaks it.

`test_layers.py` applies them to this repository, and to made-up offenders to show that they can fail.
"""

from __future__ import annotations

from tests.architecture.source import Files, Import, imports, library, module_file, python

STANDARD_BLENDER = {"bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "gpu_extras", "bl_math", "addon_utils", "blf"}
TOUCHES_BLENDER = {"addon.language", "addon.scene", "addon.ui", "addon.cli", "addon.preferences", "addon.api"}
TOUCHES_BLENDER_WHEN_CALLED = {"addon", "addon.paths"}
READS_ARRAYS = ("addon/scene/importer.py", "addon/scene/points.py")  # with Blender's own numpy

# A room is a folder, or a module at the root of addon/ or backend/ -> the rooms that it may import, beside itself.
BELOW = {"addon.paths", "addon.prior_words", "addon.processes", "addon.wording"}
DATA = {"addon.protocol", *BELOW}
WORK = {"addon.jobs", "addon.install", "addon.scene"}
LEAVES = {
    "backend.cameras", "backend.losses", "backend.regularisers", "backend.schedules", "backend.images",
    "backend.image_files", "backend.errors", "backend.weights",
}  # fmt: skip
DRAWING = {"backend.rendering", "backend.meshes", "backend.vision"}
MATHS = {"backend.representations", "backend.diffusion", "backend.export", "backend.gltf", *DRAWING, *LEAVES}
RUNS = {"addon.protocol", "backend.runtime"}
ROOMS = {
    **dict.fromkeys(BELOW, set()),
    "addon.wording": {"addon.protocol"},
    "addon.protocol": set(),
    **dict.fromkeys(WORK, DATA),
    "addon.language": DATA,
    "addon.preferences": {"addon.language"} | WORK | DATA,
    "addon.api": {"addon.preferences"} | WORK | DATA,
    **dict.fromkeys(("addon.ui", "addon.cli"), {"addon.api", "addon.language", "addon.preferences"} | WORK | DATA),
    "addon.__main__": {"addon.install"} | DATA,
    "addon": {"addon.ui", "addon.cli", "addon.language", "addon.preferences"},
    **dict.fromkeys(LEAVES, LEAVES),
    "backend.errors": {"addon.protocol"},  # whose phrases its sentences are
    "backend.representations": LEAVES,
    **dict.fromkeys(DRAWING, {"backend.representations"} | LEAVES),
    "backend.diffusion": {"backend.vision", "backend.representations"} | LEAVES,
    "backend.gltf": {"backend.representations"} | LEAVES,
    "backend.export": {"backend.gltf", "backend.meshes", "backend.representations"} | LEAVES,
    "backend.runtime": {"addon.protocol"} | LEAVES,
    "backend.models": RUNS | LEAVES,
    "backend.systems": {"backend.models"} | RUNS | MATHS,
    "backend.embedded": MATHS,
    "backend.farm": {"backend.models"} | RUNS | LEAVES,
    "backend.cli": {"backend.systems", "backend.models", "backend.farm"} | RUNS | MATHS,
    "backend.__main__": {"backend.cli"} | RUNS | LEAVES,
    "backend": set(),
}

# Library -> where in backend/ it may be imported; a name without a slash at its end is one module.
LIBRARY_PLACES = {
    **dict.fromkeys(("diffusers", "peft", "transformers"), ("diffusion/", "vision/", "embedded/", "models/")),
    "nerfacc": ("rendering/volume_nerfacc",),
    "tinycudann": ("representations/hash_grid",),
    "gsplat": ("rendering/splats", "representations/gaussians"),
    "numba": ("rendering/", "representations/", "meshes/"),
}
NEVER_AT_IMPORT = {"gsplat", "nerfacc", "tinycudann"}  # fail or compile at import on a machine without CUDA
NEVER_AT_START = {
    "torch", "numpy", "scipy", "numba", "PIL", "skimage", "diffusers", "transformers", "peft", "safetensors",
}  # fmt: skip
GENERATOR = "backend/embedded/objects/"


def room_of(path: str) -> str:
    """Return the room that a file is in: `backend/systems/tv3dg/edit.py` -> `backend.systems`."""
    parts = path.removesuffix(".py").split("/")
    if len(parts) > 1 and parts[1] != "__init__":
        return ".".join(parts[:2])
    return parts[0]


def addon_is_light(files: Files, standard_library: frozenset[str]) -> list[str]:
    """addon/ imports the standard library and itself; bpy in five rooms; numpy only where it imports results."""
    problems = []
    for path, text in python(files, "addon"):
        room = room_of(path)
        for item in imports(path, text):
            root = library(item.target)
            if root in STANDARD_BLENDER:
                late = room in TOUCHES_BLENDER_WHEN_CALLED and item.when != "import"
                allowed = room in TOUCHES_BLENDER or late
            elif root == "numpy":
                allowed = path in READS_ARRAYS
            else:
                allowed = root == "addon" or root in standard_library
            if not allowed:
                problems.append(f"{path}:{item.line} imports {item.target}, which has no place there")
    return problems


def rooms_in_order(files: Files) -> list[str]:
    """Imports lead from a room to those that ROOMS allows it; the backend never imports Blender, tests, benchmarks."""
    problems = []
    for path, text in python(files, "addon", "backend"):
        room = room_of(path)
        if room not in ROOMS:
            problems.append(f"{path} is in no room of the house; give {room} its place in ROOMS")
            continue
        for item in imports(path, text):
            root, target = library(item.target), room_of_target(item, files)
            if room.startswith("backend") and root in STANDARD_BLENDER | {"tests", "benchmarks", "build"}:
                problems.append(f"{path}:{item.line} imports {item.target}, which the backend never does")
            elif target is not None and target != room and target not in ROOMS[room]:
                problems.append(f"{path}:{item.line} imports {item.target}, which is not below {room}")
    return problems


def room_of_target(item: Import, files: Files) -> str | None:
    """Return the room that an import leads to; None for libraries and for names of a top package itself."""
    parts = item.target.split(".")
    if parts[0] not in ("addon", "backend"):
        return None
    room = ".".join(parts[:2])
    if room in ROOMS:
        return room
    file = module_file(item.target, files)
    return room_of(file) if file and file.count("/") > 1 else parts[0] if len(parts) == 1 else None


def no_circles(files: Files) -> list[str]:
    """Inside a room no module imports itself through others, counting what is imported when called as well."""
    problems, edges = [], {}
    for path, text in python(files, "addon", "backend"):
        if not path.endswith("__init__.py"):
            found = ((module_file(item.target, files), item) for item in imports(path, text) if item.when != "typing")
            edges[path] = {file: item for file, item in found if file and file != path}
    for start in sorted(edges):
        waiting, seen = [start], set()
        while waiting:
            path = waiting.pop()
            for file in edges.get(path, ()):
                if file == start:
                    problems.append(f"{start} imports itself through {path}:{edges[path][file].line}")
                elif file not in seen:
                    seen.add(file)
                    waiting.append(file)
    return problems


def systems_are_apart(files: Files) -> list[str]:
    """A system never imports another, and what they share never imports one; a system's own folder is its own."""
    problems = []
    for path, text in python(files, "backend"):
        own = system_of(path)
        if not path.startswith("backend/systems/"):
            continue
        for item in imports(path, text):
            file = module_file(item.target, files)
            other = system_of(file) if file else None
            if other and other != own:
                problems.append(f"{path}:{item.line} imports {item.target}; systems never import each other")
    return problems


def system_of(path: str) -> str | None:
    """Return the system whose folder a file is in: `backend/systems/tv3dg/edit.py` -> `tv3dg`; None for shared ones."""
    parts = path.split("/")
    return parts[2] if parts[:2] == ["backend", "systems"] and len(parts) > 3 else None


def libraries_in_their_places(files: Files) -> list[str]:
    """Heavy libraries are imported only in the folders that adapt them."""
    problems = []
    for path, text in python(files, "backend"):
        inside = path.removeprefix("backend/").removesuffix(".py")
        for item in imports(path, text):
            places = LIBRARY_PLACES.get(library(item.target))
            if places and not any(
                inside == place or (place[-1] == "/" and inside.startswith(place)) for place in places
            ):
                problems.append(f"{path}:{item.line} imports {item.target}; it belongs into {', '.join(places)}")
            elif library(item.target) in NEVER_AT_IMPORT and item.when == "import":
                problems.append(f"{path}:{item.line} imports {item.target} at its top; import it where it is used")
    return problems


def light_at_start(files: Files) -> list[str]:
    """Importing addon never imports bpy, and `python -m backend` answers before it imports anything heavy."""
    problems = []
    for start, heavy in (("addon/__init__.py", STANDARD_BLENDER), ("backend/__main__.py", NEVER_AT_START)):
        waiting, seen = [start], set()
        while waiting:
            path = waiting.pop()
            if path in seen or path not in files:
                continue
            seen.add(path)
            for item in imports(path, files[path]):
                if item.when == "import" and library(item.target) in heavy:
                    problems.append(f"{path}:{item.line} imports {item.target} as soon as {start} is imported")
                elif item.when == "import" and (file := module_file(item.target, files)):
                    folders = file.split("/")[:-1]
                    waiting += [file, *("/".join([*folders[:n], "__init__.py"]) for n in range(1, len(folders) + 1))]
    return problems


def product_reaches_no_judge(files: Files) -> list[str]:
    """What ships never comes, by any chain of imports, to the judges or to the generator of objects.

    Only the trainers in backend/embedded/, benchmarks/ and tests/ import these.
    """
    problems, found = [], {path: imports(path, text) for path, text in python(files, "addon", "backend")}
    for start in (path for path in found if not path.startswith("backend/embedded/")):
        waiting, seen = [start], set()
        while waiting:
            if (path := waiting.pop()) in seen:
                continue
            seen.add(path)
            for item in found[path]:
                file = module_file(item.target, files)
                if library(item.target) == "benchmarks" or (file or "").startswith(GENERATOR):
                    problems.append(f"{start} comes to {item.target} through {path}:{item.line}")
                elif file in found:
                    waiting.append(file)
    return problems
