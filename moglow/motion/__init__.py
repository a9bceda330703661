"""A figure and its motion: `Skeleton`, `Clip`, contacts, foot lock, mirroring and retargeting."""
