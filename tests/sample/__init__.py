"""The committed sample report: how it is made again, and what its recogniser heard."""
