//! The container around an input's text, recognised by its first bytes.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

/// How the text of an input is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// As it is.
    Plain,
    /// gzip, of one member or several.
    Gzip,
    /// Zstandard, of one frame or several.
    Zstd,
}

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The input with the bytes that were read to recognise it put back before it.
type Whole<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// Reads the text of an input out of its container.
pub(super) enum Source<R: Read> {
    /// Not looked at yet; empty only while the container is being recognised.
    New(Option<R>),
    Plain(Whole<R>),
    Gzip(MultiGzDecoder<Whole<R>>),
    Zstd(ZstdDecoder<'static, Whole<R>>),
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        Self::New(Some(reader))
    }

    pub(super) fn container(&self) -> Container {
        match self {
            Self::New(_) | Self::Plain(_) => Container::Plain,
            Self::Gzip(_) => Container::Gzip,
            Self::Zstd(_) => Container::Zstd,
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Self::New(reader) = self {
            match reader.take() {
                Some(reader) => *self = recognise(reader)?,
                None => return Ok(0),
            }
        }
        loop {
            let read = match self {
                Self::New(_) => return Ok(0),
                Self::Plain(reader) => reader.read(into),
                Self::Gzip(reader) => reader.read(into),
                Self::Zstd(reader) => reader.read(into),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

fn recognise<R: Read>(mut reader: R) -> io::Result<Source<R>> {
    let mut head = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut head)?;
    let gzip = head.starts_with(GZIP_MAGIC);
    let zstd = head.starts_with(ZSTD_MAGIC) || is_skippable(&head);
    let whole = BufReader::new(Cursor::new(head).chain(reader));
    Ok(if gzip {
        Source::Gzip(MultiGzDecoder::new(whole))
    } else if zstd {
        Source::Zstd(ZstdDecoder::with_buffer(whole)?)
    } else {
        Source::Plain(whole)
    })
}

/// Says whether the bytes begin a Zstandard skippable frame, which may stand before the data.
fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}
