"""Applications that the script serves, under names that the configuration can say. Filled by pyhost.script.serving."""
