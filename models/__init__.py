"""Networks and renderers: tensors in, tensors out; no files, no configuration."""
