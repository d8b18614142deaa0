"""What a network reads: corpora, tokenizers, labelled tasks."""
