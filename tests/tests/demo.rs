//! The demonstration checks itself.

use lifeboat_tests::program::{Program, binary};
use tempfile::TempDir;

#[test]
fn the_demonstration_passes_its_own_check() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let done = Program::new(binary("lifeboat"))
        .arguments(["demo", "--check", "--patients", "200", "--dir"])
        .argument(folder.path().join("demo"))
        .folder(folder.path())
        .environment("TMPDIR", folder.path())
        .run();
    done.success();
}
