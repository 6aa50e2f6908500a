"""SavedModels: `served_runs` are what is asked for, `served_models` the loaded
networks, `saved_model` the signature.
"""
