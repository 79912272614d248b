use std::io::{Cursor, Write};
use std::process::Command;

use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

fn limits() -> ArchiveLimits {
    ArchiveLimits { ratio_free_bytes: 10_000, ..ArchiveLimits::default() }
}

/// Text that packs to about a quarter.
fn text(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut step = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"0123,\n\"ab"[(state >> 24) as usize % 9]
    };
    (0..length).map(|_| step()).collect()
}

fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).expect("memory takes it");
        writer.write_all(content).expect("memory takes it");
    }
    writer.finish().expect("memory takes it").into_inner()
}

/// Cuts an archive into parts as zip does: places are counted from the part's beginning, and the first part has a mark.
fn split(whole: &[u8], part_length: usize) -> Vec<Vec<u8>> {
    let marked = [b"PK\x07\x08", whole].concat();
    let mut parts: Vec<Vec<u8>> = marked.chunks(part_length).map(<[u8]>::to_vec).collect();
    let end = whole.len() - 22;
    let number = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().expect("four bytes"));
    let put = |parts: &mut Vec<Vec<u8>>, at: usize, bytes: &[u8]| {
        for (byte, at) in bytes.iter().zip(at + 4..) {
            parts[at / part_length][at % part_length] = *byte;
        }
    };
    let disk = |offset: u32| {
        let at = offset as usize + 4;
        (((at / part_length) as u16).to_le_bytes(), ((at % part_length) as u32).to_le_bytes())
    };
    let directory = number(end + 16);
    let last = (parts.len() - 1) as u16;
    put(&mut parts, end + 4, &last.to_le_bytes());
    put(&mut parts, end + 6, &disk(directory).0);
    put(&mut parts, end + 16, &disk(directory).1);
    let mut at = directory as usize;
    while whole[at..].starts_with(b"PK\x01\x02") {
        let (part, offset) = disk(number(at + 42));
        put(&mut parts, at + 34, &part);
        put(&mut parts, at + 42, &offset);
        let length = |at: usize| usize::from(u16::from_le_bytes([whole[at], whole[at + 1]]));
        at += 46 + length(at + 28) + length(at + 30) + length(at + 32);
    }
    parts
}

fn read_all<R: Read + Seek>(entries: &mut ArchiveEntries<R>) -> Vec<(String, Result<Vec<u8>, String>)> {
    let names: Vec<String> = entries.entries().iter().map(|entry| entry.name.clone()).collect();
    let read = |at| {
        let mut content = Vec::new();
        let mut reader = entries.open(at).map_err(|problem| problem.to_string())?;
        reader.read_to_end(&mut content).map_err(|error| error.to_string())?;
        Ok(content)
    };
    names.into_iter().zip((0..).map(read)).collect()
}

fn check(parts: Vec<Vec<u8>>, files: &[(&str, Vec<u8>)]) {
    let parts = parts.into_iter().map(Cursor::new).collect();
    let mut entries = ArchiveEntries::list_parts(parts, limits()).expect("it is an archive");
    assert_eq!(entries.problems(), []);
    let expected: Vec<_> =
        files.iter().map(|(name, content)| ((*name).to_owned(), Ok(content.clone()))).collect();
    assert!(read_all(&mut entries) == expected, "every entry is read whole");
    assert!(entries.open(files.len()).is_err());
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("20240101_0100/SRPatient.csv", text(1, 30_000)),
        ("empty.csv", vec![]),
        ("b/c.csv", text(2, 90_000)),
    ]
}

fn refusal(bytes: Vec<u8>, limits: ArchiveLimits) -> String {
    match ArchiveEntries::list(Cursor::new(bytes), limits) {
        Ok(entries) => entries.problems().iter().map(|it| format!("{it}; ")).collect(),
        Err(problem) => format!("!{problem}"),
    }
}

#[test]
fn entries_are_read_from_whole_archives_and_from_parts() {
    let whole = archive(&samples());
    check(vec![whole.clone()], &samples());
    for length in [1000, 4096, 30_000] {
        check(split(&whole, length), &samples());
        check(whole.chunks(length).map(<[u8]>::to_vec).collect(), &samples());
    }
    check(vec![archive(&[])], &[]);
}

#[test]
fn archives_that_the_zip_command_made_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut state = 7_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise: Vec<u8> = (0..300_000).map(|_| noise()).collect();
    std::fs::write(folder.path().join("a.csv"), &noise).expect("it is written");
    std::fs::write(folder.path().join("b.csv"), text(3, 5000)).expect("it is written");
    for (name, options) in [("whole", &["-q"][..]), ("parts", &["-q", "-s", "64k"])] {
        let file = format!("{name}.zip");
        let mut command = Command::new("zip");
        command.current_dir(folder.path()).args(options).args([&file, "a.csv", "b.csv"]);
        // Where the command is not there, the archives made above stand for its own.
        if !command.status().is_ok_and(|status| status.success()) {
            return;
        }
        let mut files: Vec<crate::batch::FileFacts> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .filter(|file| file.starts_with(name))
            .map(|path| crate::batch::FileFacts { path, bytes: 0 })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let found = archives(&files).remove(0);
        assert!(found.missing.is_empty());
        let read = |at: &usize| std::fs::read(folder.path().join(&files[*at].path)).expect("a file");
        let parts: Vec<Vec<u8>> = found.files.iter().map(read).collect();
        assert_eq!(parts.len() > 1, name == "parts");
        check(parts, &[("a.csv", noise.clone()), ("b.csv", text(3, 5000))]);
    }
}

#[test]
fn a_missing_part_is_an_error() {
    let parts = split(&archive(&samples()), 4096);
    let count = parts.len();
    for gone in 0..count {
        let mut rest: Vec<Cursor<Vec<u8>>> = parts.iter().cloned().map(Cursor::new).collect();
        rest.remove(gone);
        let problem = ArchiveEntries::list_parts(rest, limits()).expect_err("a part is missing").to_string();
        let expected = if gone == count - 1 { "its last part missing" } else { "the parts are .z01 to" };
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn names_that_point_elsewhere_are_refused_and_the_others_read() {
    let names = [
        "../a",
        "a/../../b",
        "/a",
        "C:\\a",
        "..\\a",
        "a/./b",
        "a//b",
        "a\u{202e}b",
        "x\ny",
        "d\\e.csv",
        "ok.csv",
    ];
    let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (*name, b"x".to_vec())).collect();
    let entries = ArchiveEntries::list(Cursor::new(archive(&files)), limits()).expect("an archive");
    let read: Vec<&str> = entries.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(read, ["d/e.csv", "ok.csv"]);
    assert_eq!(entries.problems().len(), 9);
    let text = entries.problems()[0].to_string();
    assert_eq!(text, "../a: has a name that points outside the archive; it is not read");
    let mut bytes = archive(&[("a-b.csv", vec![1])]);
    while let Some(at) = bytes.windows(3).position(|it| it == b"a-b") {
        bytes[at + 1] = 0;
    }
    assert_eq!(refusal(bytes, limits()), "ab.csv: has a name that no file may have; it is not read; ");
}

#[test]
fn bombs_are_refused_by_what_they_declare_and_by_what_comes_out() {
    let bomb = archive(&[("a.csv", vec![b'x'; 1_000_000])]);
    let refused = "a.csv: would unpack to more than 200 times its length, as only harmful archives do; ";
    assert_eq!(refusal(bomb.clone(), limits()), refused);
    let strict = |change: fn(&mut ArchiveLimits)| {
        let mut limits = limits();
        change(&mut limits);
        limits
    };
    let whole = archive(&samples());
    let cases = [
        (strict(|it| it.entries_max = 2), "!more than the limit of 2 entries"),
        (
            strict(|it| it.directory_bytes_max = 50),
            "!more than the limit of 50 bytes of the archive's directory",
        ),
        (
            strict(|it| it.total_bytes_max = 100_000),
            "!more than the limit of 100000 bytes of all entries together",
        ),
        (
            strict(|it| it.entry_bytes_max = 40_000),
            "b/c.csv: more than the limit of 40000 bytes of one entry; ",
        ),
    ];
    for (limits, expected) in cases {
        assert_eq!(refusal(whole.clone(), limits), expected);
    }
    // One that declares little.
    let directory = bomb.windows(4).rposition(|it| it == b"PK\x01\x02").expect("a directory");
    let mut liar = bomb.clone();
    liar[directory + 24..directory + 28].copy_from_slice(&2000_u32.to_le_bytes());
    let mut entries = ArchiveEntries::list(Cursor::new(liar), limits()).expect("an archive");
    assert_eq!(read_all(&mut entries), [("a.csv".into(), Err("it is longer than its archive says".into()))]);
    // Many entries that are the same bytes.
    let mut overlapping = bomb[..directory].to_vec();
    let record = &bomb[directory..bomb.len() - 22];
    for at in 0..100_u8 {
        let mut record = record.to_vec();
        record[46] = at + 33;
        overlapping.extend(record);
    }
    let mut end = bomb[bomb.len() - 22..].to_vec();
    end[10..12].copy_from_slice(&100_u16.to_le_bytes());
    end[12..16].copy_from_slice(&(100 * record.len() as u32).to_le_bytes());
    overlapping.extend(end);
    assert_eq!(
        refusal(overlapping, ArchiveLimits::default()),
        "!is a zip archive whose entries overlap, as only harmful ones do"
    );
}

#[test]
fn damage_is_found_while_reading_and_told() {
    let whole = archive(&samples());
    let directory = whole.windows(4).position(|it| it == b"PK\x01\x02").expect("a directory");
    let damage = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] ^= byte;
        let mut entries = ArchiveEntries::list(Cursor::new(bytes), limits()).expect("an archive");
        read_all(&mut entries).remove(0).1.map(|content| content.len())
    };
    let cases = [
        (directory + 16, 1, "its checksum is not the one in its archive"),
        (directory + 25, 1, "it is shorter than its archive says"),
        (0, 1, "is not where the archive's directory says"),
        (30, 1, "has one name in the archive's directory and another before its bytes"),
    ];
    for (at, byte, expected) in cases {
        let found = damage(at, byte).expect_err(expected);
        assert!(found == expected || found == "it is longer than its archive says", "{found}");
    }
    assert!(damage(200, 0xff).is_err());
    for length in (0..whole.len()).step_by(397).chain(whole.len() - 60..whole.len()) {
        assert!(ArchiveEntries::list(Cursor::new(&whole[..length]), limits()).is_err(), "cut at {length}");
    }
}

#[test]
fn what_is_encrypted_or_packed_otherwise_is_named_with_what_to_do() {
    let whole = archive(&[("a.csv", text(1, 100))]);
    let directory = whole.windows(4).position(|it| it == b"PK\x01\x02").expect("a directory");
    let change = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[directory + at] = byte;
        refusal(bytes, limits())
    };
    assert_eq!(change(8, 1), "a.csv: is encrypted with a password: deliver it without, or unpack it first; ");
    assert_eq!(
        change(10, 9),
        "a.csv: is packed by a method that is not read (number 9): pack it with deflate, or unpack it first; "
    );
    assert_eq!(change(41, 0xa1), "a.csv: is a link, and links in archives are not followed; ");
    let twice = archive(&[("a.csv", vec![]), ("b.csv", vec![1])]);
    let mut bytes = twice;
    for at in 0..bytes.len() - 5 {
        if bytes[at..].starts_with(b"b.csv") {
            bytes[at] = b'a';
        }
    }
    assert_eq!(refusal(bytes, limits()), "a.csv: stands in the archive 2 times; none of them is read; ");
    assert_eq!(encrypted_by_name("x.csv.GPG").map(|it| it.0), Some("x.csv"));
    assert_eq!(encrypted_by_name("x.csv"), None);
}

#[test]
fn single_files_are_unpacked_as_they_are_read() {
    let content = text(5, 50_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&content).expect("memory takes it");
    let gzip = gzip.finish().expect("memory takes it");
    let zstd = zstd::encode_all(&content[..], 3).expect("memory takes it");
    for packed in [&content, &gzip, &zstd] {
        let mut read = Vec::new();
        unpack(&packed[..], limits()).expect("it is known").read_to_end(&mut read).expect("it is sound");
        assert!(read == content);
    }
    for packed in [&gzip, &zstd] {
        let mut cut = unpack(&packed[..packed.len() - 9], limits()).expect("it is known");
        assert!(cut.read_to_end(&mut Vec::new()).is_err(), "a file that is cut short is no shorter file");
    }
    let bomb = zstd::encode_all(&vec![0; 1 << 20][..], 3).expect("memory takes it");
    let error = unpack(&bomb[..], limits()).expect("it is known").read_to_end(&mut Vec::new());
    assert_eq!(error.expect_err("it is a bomb").to_string(), "it unpacks to more than the limit");
    let cases: [(&[u8], &str); 6] = [
        (b"PK\x03\x04", "is a zip archive within an archive; unpack it first"),
        (b"\x85\x01\x0c", "is encrypted with OpenPGP: decrypt it first, for instance with gpg --decrypt"),
        (
            b"-----BEGIN PGP MESSAGE-----",
            "is encrypted with OpenPGP: decrypt it first, for instance with gpg --decrypt",
        ),
        (
            b"age-encryption.org/v1\n",
            "is encrypted with age: decrypt it first, for instance with age --decrypt",
        ),
        (b"\xff\xfea\0", "is text in UTF-16; it is read as UTF-8 or Windows-1252 only"),
        (b"%PDF-1.7", "is a PDF document, which no feed is read from"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(
            unpack(bytes, limits()).map(|_| ()).map_err(|it| it.to_string()),
            Err(expected.to_owned())
        );
    }
}
