"""What a batch is made of: motion, streams, noise, mixtures of sources."""
