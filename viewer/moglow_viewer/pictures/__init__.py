"""Pictures, films and contact sheets, rendered without a display."""
