"""Benchmarks of judges and critics: things to judge, with what people said of them."""
