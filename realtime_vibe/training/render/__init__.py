"""Pictures of bodies in clothes, and our tracker on them."""
