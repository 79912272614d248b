//! Hints from the file system that the source changed.
//!
//! A hint only marks the source dirty. The scan that follows at its own pace is the truth, and it comes regularly
//! without hints too.

use std::path::Path;
use std::sync::Arc;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Watches `folder` as long as the returned value lives, and rings `bell` when something changes in it.
pub(super) fn watch(folder: &Path, bell: Arc<Notify>) -> Result<RecommendedWatcher, notify::Error> {
    let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| match event {
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
        // An error of the watcher may mean lost events, so it counts as a change.
        Ok(_) | Err(_) => bell.notify_one(),
    })?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    Ok(watcher)
}
