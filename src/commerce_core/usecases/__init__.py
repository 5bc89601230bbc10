"""Everything the platform does, one module per noun; `commerce.Commerce` lists them."""
