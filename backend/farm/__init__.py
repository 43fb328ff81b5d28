"""Job folders for the farms that studios run: each engine's own files, and the one command that submits them.

A task is `python -m backend run JOB`: it needs no Blender, goes on where it stopped, and says by its exit code how it
went. Nothing here schedules.
"""
