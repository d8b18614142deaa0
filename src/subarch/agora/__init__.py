"""Agora: a small model learns from teacher-labelled points near its own mistakes."""
