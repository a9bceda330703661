"""Files in general: atomic writing, safetensors, tables from TOML, compiled C sources."""
