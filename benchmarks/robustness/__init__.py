"""Faults and strangers: what is damaged or killed, with fixed seeds, and what may become of it."""
