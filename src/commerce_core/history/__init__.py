"""The catalog through time: versions, timelines, and the line that each value came from."""
