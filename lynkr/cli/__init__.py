"""The commands. Each has a file of its own, imported when it is called; they alone, and renderers, speak to people."""
