"""What is seen: the 3D window, the preview, overlays, the HUD and its keys."""
