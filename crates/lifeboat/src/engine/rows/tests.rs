//! Rows kept over batches.
