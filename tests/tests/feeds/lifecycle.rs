//! What becomes of patients and items.
