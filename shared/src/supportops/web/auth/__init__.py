"""Who may see the operators' pages: one password, or a proxy that authenticates. Nobody by default (`gate`)."""
