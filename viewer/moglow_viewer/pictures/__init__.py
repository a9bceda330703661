"""Films, sheets and lettering, drawn without a display."""
