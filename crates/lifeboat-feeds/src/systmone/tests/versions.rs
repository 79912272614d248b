//! Tables as the versions of the extract write them.
