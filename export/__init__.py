"""Makes the files in engines/: torch and third-party models in, checked graphs out."""
