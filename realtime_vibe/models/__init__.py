"""The networks in torch; never imported by the live path."""
