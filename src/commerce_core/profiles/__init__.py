"""How a source's file maps to the schema: profiles, presets, header mapping, normalisation."""
