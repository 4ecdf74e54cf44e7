"""Past sessions of coding tools, from the transcripts that they keep: read, priced, and replayed through lynkr."""
