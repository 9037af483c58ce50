"""What a person does: the `mnaas` command."""
