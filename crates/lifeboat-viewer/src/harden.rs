//! Keeps the process's memory out of core dumps and away from other processes of the same user.

/// Refuses core dumps and, on Linux, being read by a debugger; what the system refuses is logged and goes on.
pub fn refuse_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        if let Err(error) = setrlimit(Resource::Core, none) {
            tracing::warn!(name: "core_dumps_not_refused", %error);
        }
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::warn!(name: "process_stays_readable", %error);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_process_cannot_be_dumped_afterwards() {
        super::refuse_dumps();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!(limit.current, Some(0));
        let behaviour = rustix::process::dumpable_behavior().expect("the kernel answers");
        assert_eq!(behaviour, rustix::process::DumpableBehavior::NotDumpable);
    }
}
