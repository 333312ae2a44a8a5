"""The half that runs on the host: standard library only, Python >= 3.6, sent as source over the channel."""
