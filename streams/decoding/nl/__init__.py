"""Natural-language requests to intents, without a language model."""
