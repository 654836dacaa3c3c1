"""From what a network says at each frame to text."""
