"""Many motions as files: the jobs, their sidecars, and the making, which can be restarted."""
