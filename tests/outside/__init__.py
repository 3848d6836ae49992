"""A system that is not part of the package: a folder, a line of the registry and a YAML file."""
