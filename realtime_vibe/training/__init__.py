"""Training the networks; never imported by the live path."""
