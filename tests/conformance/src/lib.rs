//! One meaning: the executable specification, and the corpus every engine must agree on.
