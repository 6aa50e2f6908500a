"""The augmentation front end: which two views of a clip are compared."""
