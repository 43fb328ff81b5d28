"""Five objects from outside the generator: their pictures by Cycles, their surfaces, and the script that makes both."""
