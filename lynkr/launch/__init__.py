"""Starting the tool: what is put into its environment and arguments, and how it shares our terminal."""
