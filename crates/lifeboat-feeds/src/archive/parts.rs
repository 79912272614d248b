//! Archives in several files: which files belong together, and reading them as one.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use crate::batch::FileFacts;

/// The files of a source that are one archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFiles {
    /// The archive's path, that of the file that ends in `.zip` or would.
    pub path: String,
    /// Places in the list of files, in the order in which they are read.
    pub files: Vec<usize>,
    /// The names of parts that are not there, as far as the names of the others tell.
    pub missing: Vec<String>,
}

/// What a file is of an archive in parts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// `.z01` and on.
    Numbered(u32),
    /// `.zip`, which ends an archive whose other parts are `.z01` and on, or is one alone.
    Whole,
    /// `.zip.001` and on.
    Cut(u32),
}

fn part_of(path: &str) -> Option<(String, Part)> {
    let number = |digits: &str| {
        let sound = (2..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        sound.then(|| digits.parse().ok()).flatten().filter(|number| *number > 0)
    };
    let (stem, ending) = path.rsplit_once('.')?;
    let ending = ending.to_ascii_lowercase();
    if ending == "zip" {
        return Some((path.to_owned(), Part::Whole));
    }
    if let Some(number) = ending.strip_prefix('z').and_then(number) {
        return Some((format!("{stem}.zip"), Part::Numbered(number)));
    }
    let is_zip = stem.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("zip"));
    number(&ending).filter(|_| is_zip).map(|number| (stem.to_owned(), Part::Cut(number)))
}

/// Finds the archives among the files of a source, by their names, with their parts in order.
pub fn archives(files: &[FileFacts]) -> Vec<ArchiveFiles> {
    let mut found: BTreeMap<(String, bool), (String, BTreeMap<Part, usize>)> = BTreeMap::new();
    for (at, file) in files.iter().enumerate() {
        let Some((path, part)) = part_of(&file.path) else { continue };
        let is_cut = matches!(part, Part::Cut(_));
        let (shown, parts) =
            found.entry((path.to_lowercase(), is_cut)).or_insert_with(|| (path.clone(), BTreeMap::new()));
        if part == Part::Whole {
            *shown = path;
        }
        parts.entry(part).or_insert(at);
    }
    found.into_values().map(|(path, parts)| in_order(path, &parts)).collect()
}

fn in_order(path: String, parts: &BTreeMap<Part, usize>) -> ArchiveFiles {
    let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    let mut missing = Vec::new();
    let mut expected = 1;
    for part in parts.keys() {
        let (Part::Numbered(number) | Part::Cut(number)) = *part else { continue };
        // A gap of millions is no gap but another name.
        for absent in (expected..number).take(100) {
            missing.push(match part {
                Part::Cut(_) => format!("{name}.{absent:03}"),
                _ => format!("{stem}.z{absent:02}"),
            });
        }
        expected = number + 1;
    }
    let is_cut = parts.keys().any(|part| matches!(part, Part::Cut(_)));
    if !is_cut && !parts.contains_key(&Part::Whole) {
        missing.push(name);
    }
    ArchiveFiles { path, files: parts.values().copied().collect(), missing }
}

/// Several readers, read as if they were one.
pub(super) struct Parts<R> {
    parts: Vec<(R, u64)>,
    /// Where each part begins, and where the last ends.
    starts: Vec<u64>,
    position: u64,
}

impl<R: Read + Seek> Parts<R> {
    pub(super) fn new(readers: Vec<R>) -> io::Result<Self> {
        let mut starts = vec![0];
        let mut parts = Vec::with_capacity(readers.len());
        let mut start = 0;
        for mut reader in readers {
            let length = reader.seek(SeekFrom::End(0))?;
            // The place in each part is kept, so that a part is sought in only when it must be.
            parts.push((reader, length));
            start += length;
            starts.push(start);
        }
        Ok(Self { parts, starts, position: 0 })
    }

    /// Returns how many parts there are.
    pub(super) fn count(&self) -> usize {
        self.parts.len()
    }

    /// Returns the length of all.
    pub(super) fn length(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Returns where a part begins.
    pub(super) fn start(&self, part: usize) -> Option<u64> {
        self.starts[..self.parts.len()].get(part).copied()
    }

    pub(super) fn go_to(&mut self, position: u64) {
        self.position = position;
    }

    /// Reads exactly so many bytes from a place.
    pub(super) fn read_at(&mut self, position: u64, count: usize) -> io::Result<Vec<u8>> {
        self.go_to(position);
        let mut bytes = Vec::new();
        self.by_ref().take(count as u64).read_to_end(&mut bytes)?;
        if bytes.len() == count { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl<R: Read + Seek> Read for Parts<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let part = self.starts.partition_point(|start| *start <= self.position).saturating_sub(1);
        let (Some(start), Some((reader, at))) = (self.starts.get(part), self.parts.get_mut(part)) else {
            return Ok(0);
        };
        let within = self.position - start;
        if *at != within {
            *at = reader.seek(SeekFrom::Start(within))?;
        }
        let end = self.starts[part + 1] - self.position;
        let length = into.len().min(usize::try_from(end).unwrap_or(usize::MAX));
        let count = reader.read(&mut into[..length])?;
        *at += count as u64;
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive's path, its files, and what is missing.
    type Expected = (&'static str, &'static [usize], &'static [&'static str]);

    #[test]
    fn files_that_are_parts_of_one_archive_are_found_together_and_gaps_are_named() {
        let cases: [(&[&str], &[Expected]); 6] = [
            (&["a.zip", "b/x.csv", "b/A.ZIP"], &[("a.zip", &[0], &[]), ("b/A.ZIP", &[2], &[])]),
            (&["d/x.z02", "d/x.zip", "d/x.z01"], &[("d/x.zip", &[2, 0, 1], &[])]),
            (
                &["x.zip.002", "x.zip.001", "x.zip.010"],
                &[(
                    "x.zip",
                    &[1, 0, 2],
                    &[
                        "x.zip.003",
                        "x.zip.004",
                        "x.zip.005",
                        "x.zip.006",
                        "x.zip.007",
                        "x.zip.008",
                        "x.zip.009",
                    ],
                )],
            ),
            (&["d/x.z01", "d/x.z03", "d/x.zip"], &[("d/x.zip", &[0, 1, 2], &["x.z02"])]),
            (&["d/x.z01"], &[("d/x.zip", &[0], &["x.zip"])]),
            (&["x.z1", "x.zoo", "x.001", "x.csv", "x.zip.0", "zip"], &[]),
        ];
        for (paths, expected) in cases {
            let files: Vec<FileFacts> =
                paths.iter().map(|path| FileFacts { path: (*path).into(), bytes: 1 }).collect();
            let found = archives(&files);
            let found: Vec<_> =
                found.iter().map(|it| (it.path.as_str(), it.files.as_slice(), it.missing.clone())).collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(path, files, missing)| {
                    (*path, *files, missing.iter().map(|it| (*it).to_owned()).collect())
                })
                .collect();
            assert_eq!(found, expected, "{paths:?}");
        }
    }

    #[test]
    fn parts_are_read_as_one() {
        let parts = vec![io::Cursor::new("abc"), io::Cursor::new(""), io::Cursor::new("defg")];
        let mut parts = Parts::new(parts).expect("memory can be read");
        assert_eq!((parts.length(), parts.count(), parts.start(2), parts.start(3)), (7, 3, Some(3), None));
        assert_eq!(parts.read_at(1, 5).expect("there is as much"), b"bcdef");
        assert_eq!(parts.read_at(0, 7).expect("there is as much"), b"abcdefg");
        assert!(parts.read_at(5, 3).is_err() && parts.read_at(9, 1).is_err());
        assert!(Parts::<io::Cursor<&str>>::new(vec![]).expect("nothing is read").read_at(0, 1).is_err());
    }
}
