"""How a source's files map to the schema: profiles, presets, header mapping, normalisation."""
