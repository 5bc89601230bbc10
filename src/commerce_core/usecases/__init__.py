"""Everything that the platform does, one module a noun; `commerce.Commerce` lists them."""
