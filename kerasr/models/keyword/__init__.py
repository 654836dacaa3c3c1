"""Networks that tell words apart."""
