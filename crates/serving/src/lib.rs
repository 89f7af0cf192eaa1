//! Completes the view from the online store and gives every value its state and age.
