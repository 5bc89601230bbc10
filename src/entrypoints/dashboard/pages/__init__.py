"""The pages, one module per noun. Each function calls use cases, and returns what to show."""
