//! Harms copies in the ways that disks, networks and people do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns all files below a folder, relative to it, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    gather(folder, folder, &mut found);
    found.sort();
    found
}

fn gather(top: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            gather(top, &path, found);
        } else {
            found.push(path.strip_prefix(top).expect("below the top").to_owned());
        }
    }
}

/// Copies a folder with everything in it, empty folders too.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folders can be made");
    for entry in fs::read_dir(from).expect("the folder can be listed") {
        let entry = entry.expect("the folder can be listed");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(path, target).expect("a file can be copied");
        }
    }
}

/// Returns every file below a folder with its bytes.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |file: PathBuf| {
        let bytes = fs::read(folder.join(&file)).expect("the file can be read");
        (file, bytes)
    };
    files_below(folder).into_iter().map(read).collect()
}

/// Fails the test unless two folders hold the same files with the same bytes, and at least one.
#[track_caller]
pub fn assert_same(one: &Path, other: &Path) {
    let (first, second) = (contents(one), contents(other));
    assert!(!first.is_empty(), "{} is empty", one.display());
    let names = |contents: &BTreeMap<PathBuf, Vec<u8>>| contents.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&first), names(&second));
    for (file, bytes) in &first {
        assert!(second.get(file) == Some(bytes), "{} differs", file.display());
    }
}

/// Makes a copy of a folder that shares its files: cheap, and safe as long as files are replaced and never written into.
pub fn link_folder(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().expect("a file has a folder")).expect("folders can be made");
        fs::hard_link(from.join(&file), target).expect("a file can be linked");
    }
}

/// Puts other bytes in the place of a file.
pub fn replace(file: &Path, bytes: &[u8]) {
    fs::remove_file(file).expect("the file can be removed");
    fs::write(file, bytes).expect("the file can be written");
}

/// Turns one bit of one byte around.
pub fn flip_bit(file: &Path, byte: usize, bit: u8) {
    let mut bytes = fs::read(file).expect("the file can be read");
    bytes[byte] ^= 1 << bit;
    replace(file, &bytes);
}

/// Cuts a file short.
pub fn truncate(file: &Path, size: usize) {
    let bytes = fs::read(file).expect("the file can be read");
    replace(file, &bytes[..size]);
}

/// Removes a file.
pub fn delete(file: &Path) {
    fs::remove_file(file).expect("the file can be removed");
}

/// Exchanges the contents of two files.
pub fn swap(one: &Path, other: &Path) {
    let first = fs::read(one).expect("the file can be read");
    let second = fs::read(other).expect("the file can be read");
    replace(one, &second);
    replace(other, &first);
}
