//! Rows and files that lie, break, or name nothing.
