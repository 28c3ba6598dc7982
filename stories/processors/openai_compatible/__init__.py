"""Stories and vectors from a service that speaks OpenAI's protocol. What is sent there: docs/providers.md."""
