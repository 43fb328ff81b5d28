"""What is measured on a graphics card alone."""
