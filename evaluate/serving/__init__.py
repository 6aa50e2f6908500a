"""SavedModels: `served_runs` finds what is asked for, `saved_model` writes."""
