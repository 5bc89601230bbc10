"""What routes are made with: how requests are read, answered, refused and described."""
