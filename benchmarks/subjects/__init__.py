"""How a subject is learnt from photos, measured part by part."""
