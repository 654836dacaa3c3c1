"""Running a model: the compiled network (`compiled`), the recordings that it is given (`recordings`)."""
