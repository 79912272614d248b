//! What systemd is told, when it listens.

use std::time::Duration;

use sd_notify::NotifyState;

/// Says that the service is up.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Says that the configuration is in force again after a reload.
pub(super) fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// Says that the loop is alive.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// Says that the service is going down.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Returns how often systemd wants to hear that the loop is alive: half of its patience.
pub(super) fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 2)
}

fn tell(state: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell; with it, a lost message shows as a missed watchdog.
    let _told = sd_notify::notify(state);
}
