"""The ground that every room stands on: errors, files, console. Imports no room."""
