"""Products, the queries over them, the publications that change them, and their export."""
