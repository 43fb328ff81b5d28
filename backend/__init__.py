"""The generation backend: a subprocess that turns a job folder into a 3D asset."""
