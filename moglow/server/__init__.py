"""A server of motion for other programs: `backbone` answers requests of the Motion Model Context Protocol (MMCP)."""
