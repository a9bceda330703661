"""Pictures of motion: what shows a Clip to a person. Stands above the library, which never imports it."""
