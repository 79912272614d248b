//! Damaged variants of each part, named `<part>_<damage>`, and the error that each must give.

use crate::forge::{self, Without};
use crate::site::{EPOCH_IDENTITY, PASSPHRASE, STRANGER_IDENTITY, Site};
use lifeboat_format::{EpochIdentity, ObjectKey, SigningKey, TileId};
use std::error::Error;

pub(crate) struct Vector {
    pub(crate) file: String,
    pub(crate) part: &'static str,
    pub(crate) error: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// One replacement in an accepted manifest: damage, error, what is replaced, and by what.
type Edit = (&'static str, &'static str, &'static str, &'static str);

const PACK_ORDER: &str = "Contradiction: packs not in ascending order of distinct beginnings of their ids";

const MANIFEST_EDITS: [Edit; 16] = [
    ("unknown-field", "Json", "\"site\"", "\"colour\":1,\n\"site\""),
    ("missing-field", "Json", "\"dicts\"", "\"dict\""),
    ("missing-null", "Json", ",\n\"accepted\":null", ""),
    ("duplicate-field", "Json", "\"site\"", "\"site\":\"A81001\",\n\"site\""),
    ("newer-format", "Newer", "\"format\":1", "\"format\":2,\n\"later\":true"),
    ("format-zero", "Contradiction: format", "\"format\":1", "\"format\":0"),
    ("sequence-zero", "Json", "\"sequence\":2", "\"sequence\":0"),
    (
        "time-with-offset",
        "Json",
        "\"taken\":\"2026-11-21T08:30:00Z\"",
        "\"taken\":\"2026-11-21T08:30:00+00:00\"",
    ),
    ("next-before-taken", "Contradiction: next expected time", "\"next_by\":\"2026", "\"next_by\":\"2025"),
    ("site-lowercase", "Json", "A81001", "a81001"),
    (
        "part-gap",
        "Contradiction: index parts do not lie back to back",
        "\"kind\":\"directory\",\"from\":null,\"offset\":0",
        "\"kind\":\"directory\",\"from\":null,\"offset\":1",
    ),
    (
        "two-roots",
        "Contradiction: number of directory roots",
        "\"kind\":\"directory\",",
        "\"kind\":\"directory-root\",",
    ),
    (
        "root-with-from",
        "Contradiction: where an index part begins",
        "\"kind\":\"directory-root\",\"from\":null",
        "\"kind\":\"directory-root\",\"from\":\"00000000\"",
    ),
    (
        "held-without-reason",
        "Contradiction: held without a reason",
        "\"accepted\",\"reasons\"",
        "\"held\",\"reasons\"",
    ),
    ("record-limit", "Contradiction: largest record", "65536", "67108865"),
    ("continued", "Json", "\"accepted\":null}", "\"accepted\":null}}"),
];

struct Shelf<'a> {
    site: &'a Site,
    vectors: Vec<Vector>,
}

pub(crate) fn build(site: &Site) -> Result<Vec<Vector>, Box<dyn Error>> {
    let mut shelf = Shelf { site, vectors: Vec::new() };
    shelf.blobs()?;
    shelf.dictionaries()?;
    shelf.epochs()?;
    shelf.index_parts()?;
    shelf.digests()?;
    shelf.manifests()?;
    shelf.tiles()?;
    shelf.checkpoints()?;
    shelf.heads()?;
    shelf.kits()?;
    shelf.sites()?;
    Ok(shelf.vectors)
}

impl Shelf<'_> {
    fn add(&mut self, part: &'static str, damage: &str, error: &'static str, bytes: impl Into<Vec<u8>>) {
        self.vectors.push(Vector { file: format!("{part}_{damage}"), part, error, bytes: bytes.into() });
    }

    fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
        forge::seal(&self.site.keys.epoch.recipient().to_string(), plaintext)
    }

    fn object(&self, key: ObjectKey) -> Result<&Vec<u8>, Box<dyn Error>> {
        self.site.replica.get(&key.to_string()).ok_or_else(|| format!("{key} is missing").into())
    }

    fn blobs(&mut self) -> Result<(), Box<dyn Error>> {
        let good = self.site.extra["blobs/patient-1.age"].clone();
        let flipped = |index: usize| {
            let mut bytes = good.clone();
            bytes[index] ^= 1;
            bytes
        };
        let last = good.len() - 1;
        self.add("blob", "empty", "Age.Header", []);
        self.add("blob", "wrong-magic", "Age.Header", flipped(0));
        self.add("blob", "bit-flip-in-header-mac", "Age.Header", {
            let mac = good.windows(4).position(|window| window == b"\n---").ok_or("a header ends")?;
            flipped(mac + 6)
        });
        self.add("blob", "bit-flip-in-payload", "Age.Payload", flipped(last - 20));
        self.add("blob", "truncated", "Age.Payload", &good[..last]);
        self.add("blob", "truncated-in-header", "Age.Header", &good[..60]);
        self.add("blob", "continued", "Age.Payload", [&good[..], b"x"].concat());
        let stranger: EpochIdentity = STRANGER_IDENTITY.parse()?;
        let frame = forge::frame(b"{}", Without::Nothing)?;
        let padding = forge::skippable(0, &[0; 9])?;
        let padded = [frame.clone(), padding.clone()].concat();
        self.add(
            "blob",
            "other-epoch",
            "Age.WrongKey",
            forge::seal(&stranger.recipient().to_string(), &padded)?,
        );
        self.add("blob", "passphrase", "Age.WrongKey", forge::seal_passphrase(PASSPHRASE, &padded)?);
        let large = [frame.clone(), forge::skippable(0, &vec![0; 200_000])?].concat();
        self.add("blob", "oversize-padding", "Age.TooLarge", self.seal(&large)?);

        self.blob_contents()
    }

    /// Blobs that open with the right key, but do not hold what they should.
    fn blob_contents(&mut self) -> Result<(), Box<dyn Error>> {
        let frame = forge::frame(b"{}", Without::Nothing)?;
        let padding = forge::skippable(0, &[0; 9])?;
        let padded = [frame.clone(), padding.clone()].concat();
        let mut not_zeros = padded.clone();
        *not_zeros.last_mut().ok_or("padding")? = 1;
        let unsealed: Vec<(&str, &'static str, Vec<u8>)> = vec![
            ("not-compressed", "Frame.Header", b"{\"resourceType\":\"Bundle\"}".to_vec()),
            ("padding-missing", "Frame.Trailer", frame.clone()),
            ("padding-not-zeros", "Frame.Trailer", not_zeros),
            ("padding-wrong-magic", "Frame.Trailer", [frame.clone(), forge::skippable(1, &[0; 9])?].concat()),
            ("padding-cut-short", "Frame.Trailer", padded[..padded.len() - 1].to_vec()),
            ("padding-twice", "Frame.Trailer", [&padded[..], &padding].concat()),
            ("padding-first", "Frame.Header", [padding.clone(), frame.clone()].concat()),
            ("second-frame", "Frame.Trailer", [frame.clone(), frame.clone(), padding.clone()].concat()),
            ("no-checksum", "Frame.Flags", {
                [forge::frame(b"{}", Without::Checksum)?, padding.clone()].concat()
            }),
            ("no-content-size", "Frame.Flags", {
                [forge::frame(b"{}", Without::ContentSize)?, padding.clone()].concat()
            }),
            ("reserved-bit", "Frame.Flags", with_byte(&padded, 4, padded[4] | 8)),
            (
                "wrong-checksum",
                "Frame.Decompress",
                with_byte(&padded, frame.len() - 1, padded[frame.len() - 1] ^ 1),
            ),
            ("content-size-lies", "Frame.Decompress", with_byte(&padded, 5, 3)),
            ("oversize-content", "Frame.ContentTooLarge", {
                [forge::frame(&[b' '; 65_537], Without::Nothing)?, padding.clone()].concat()
            }),
            ("window-too-large", "Frame.WindowTooLarge", {
                [&[0x28, 0xb5, 0x2f, 0xfd, 0x84, 14 << 3, 2, 0, 0, 0][..], &frame[6..], &padding].concat()
            }),
            ("unknown-dictionary", "Frame.UnknownDictionary", {
                let header = [0x28, 0xb5, 0x2f, 0xfd, 0x27, 1, 0, 0, 0x40, 2];
                [&header[..], &frame[6..], &padding].concat()
            }),
        ];
        for (damage, error, bytes) in unsealed {
            let sealed = self.seal(&bytes)?;
            self.add("blob", damage, error, sealed);
        }
        Ok(())
    }

    fn dictionaries(&mut self) -> Result<(), Box<dyn Error>> {
        let stranger: EpochIdentity = STRANGER_IDENTITY.parse()?;
        let bytes = self.site.dictionary.bytes().to_vec();
        self.add(
            "dict",
            "other-epoch",
            "Open.WrongKey",
            forge::seal(&stranger.recipient().to_string(), &bytes)?,
        );
        self.add("dict", "raw-content", "NotADictionary", self.seal(&bytes[8..])?);
        self.add(
            "dict",
            "id-zero",
            "NotADictionary",
            self.seal(&[&bytes[..4], &[0; 4], &bytes[8..]].concat())?,
        );
        Ok(())
    }

    fn epochs(&mut self) -> Result<(), Box<dyn Error>> {
        let number = lifeboat_format::EpochNumber::FIRST;
        let recipients = self.object(ObjectKey::EpochRecipients(number))?.clone();
        let passphrase = self.object(ObjectKey::EpochPassphrase(number))?.clone();
        let holder: lifeboat_format::Identity = crate::site::HOLDER_IDENTITY.parse()?;
        let stranger: EpochIdentity = STRANGER_IDENTITY.parse()?;
        let text = self.site.keys.secret().to_secret_text();
        let lookup_key = self.site.keys.lookup_key.to_hex();
        let public = self.site.keys.epoch.recipient().to_string();
        self.add("epoch-recipients", "truncated", "Open.Payload", &recipients[..recipients.len() - 1]);
        let to_stranger = forge::seal(&stranger.recipient().to_string(), text.as_bytes())?;
        self.add("epoch-recipients", "not-ours", "Open.WrongKey", to_stranger);
        self.add("epoch-recipients", "passphrase", "Open.WrongKey", passphrase.clone());
        self.add("epoch-passphrase", "recipients", "Open.NotPassphrase", recipients);
        let other = forge::seal_passphrase("another passphrase", text.as_bytes())?;
        self.add("epoch-passphrase", "another", "Open.WrongKey", other);
        let factor = passphrase.windows(4).position(|window| window == b" 10\n").ok_or("a work factor")?;
        let costly = with_byte(&passphrase, factor + 1, b'2');
        let costly = with_byte(&costly, factor + 2, b'1');
        self.add("epoch-passphrase", "work-factor-21", "Open.TooMuchWork", costly);
        let texts: Vec<(&str, &'static str, String)> = vec![
            ("number-leading-zero", "Text: title", text.replace("epoch 1", "epoch 01")),
            (
                "lookup-key-uppercase",
                "Text: lookup key",
                text.replace(&*lookup_key, &lookup_key.to_uppercase()),
            ),
            ("public-key-of-another", "PublicKey", text.replace(&public, &stranger.recipient().to_string())),
            (
                "identity-lowercase",
                "Text: identity",
                text.replace(EPOCH_IDENTITY, &EPOCH_IDENTITY.to_lowercase()),
            ),
            ("no-last-line-end", "Text: last line", text.trim_end().to_owned()),
            ("extra-line", "Text: end", format!("{}# more\n", text.as_str())),
        ];
        for (damage, error, text) in texts {
            let sealed = forge::seal(&holder.recipient().to_string(), text.as_bytes())?;
            self.add("epoch-recipients", damage, error, sealed);
        }
        Ok(())
    }

    fn index_parts(&mut self) -> Result<(), Box<dyn Error>> {
        let key = |digit: &str| digit.repeat(32);
        let row = |key: &str| format!("{{\"k\":\"{key}\",\"t\":\"x\"}}\n");
        let (one, two) = (row(&key("1")), row(&key("2")));
        let placed = format!(
            "{{\"k\":\"{}\",\"t\":\"x\",\"p\":\"{}\",\"o\":1,\"l\":1,\"h\":\"{}\"}}\n",
            key("1"),
            "0".repeat(16),
            key("00")
        );
        let bare = format!("{{\"k\":\"{}\",\"t\":\"p\"}}\n", key("1"));
        let rows: Vec<(&str, &'static str, String)> = vec![
            ("out-of-order", "Order", format!("{two}{one}")),
            ("twice", "Order", format!("{one}{one}")),
            ("key-uppercase", "Row", row(&key("A"))),
            ("tombstone-with-place", "Row", placed),
            ("record-without-place", "Row", bare),
            ("not-json", "Row", "k t p o l h\n".to_owned()),
            ("empty-line", "Row", format!("{one}\n{two}")),
            ("unterminated", "Unterminated", one.trim_end().to_owned()),
        ];
        for (damage, error, content) in rows {
            let sealed = self.seal(&forge::frame(content.as_bytes(), Without::Nothing)?)?;
            self.add("locator", damage, error, sealed);
        }
        let frame = forge::frame(one.as_bytes(), Without::Nothing)?;
        let padded = [frame.clone(), forge::skippable(0, &[0; 9])?].concat();
        self.add("locator", "padded", "Frame.Trailer", self.seal(&padded)?);
        let large = forge::frame(&vec![b'\n'; 4 * 1024 * 1024 + 1], Without::Nothing)?;
        self.add("locator", "oversize-content", "Frame.ContentTooLarge", self.seal(&large)?);
        self.add("locator", "oversize", "Age.TooLarge", self.seal(&[0; 65_536])?);
        let stranger: EpochIdentity = STRANGER_IDENTITY.parse()?;
        let foreign = forge::seal(&stranger.recipient().to_string(), &frame)?;
        self.add("locator", "other-epoch", "Age.WrongKey", foreign);
        let died = format!("{{\"k\":\"{}\",\"died\":false}}\n", key("1"));
        let sealed = self.seal(&forge::frame(died.as_bytes(), Without::Nothing)?)?;
        self.add("directory", "died-false", "Row", sealed);
        let root = b"{\"fences\":[],\"days\":[\"2026-13-01\"],\"patients\":1}";
        let sealed = self.seal(&forge::frame(root, Without::Nothing)?)?;
        self.add("directory-root", "impossible-day", "Row", sealed);
        Ok(())
    }

    /// Objects of the second snapshot that are not what the manifest names. The test knows which by the file's name.
    fn digests(&mut self) -> Result<(), Box<dyn Error>> {
        let manifest = &self.site.manifests[1];
        let pack = self.object(ObjectKey::Pack(manifest.packs[0].sha256))?.clone();
        let index = self.object(ObjectKey::Index(manifest.indexes.base.sha256))?.clone();
        let range = manifest.indexes.base.locator_parts()[0].range();
        let part = &index[usize::try_from(range.start)?..usize::try_from(range.end)?];
        let part = with_byte(part, part.len() / 2, part[part.len() / 2] ^ 1);
        self.add(
            "pack",
            "bit-flip",
            "digest mismatch",
            with_byte(&pack, pack.len() / 2, pack[pack.len() / 2] ^ 1),
        );
        self.add("pack", "truncated", "digest mismatch", &pack[..pack.len() - 1]);
        self.add("index-part", "bit-flip", "digest mismatch", part);
        Ok(())
    }

    fn manifests(&mut self) -> Result<(), Box<dyn Error>> {
        let good = String::from_utf8(self.site.manifests[1].to_bytes())?;
        let held = String::from_utf8(self.site.manifests[2].to_bytes())?;
        let packs: Vec<&str> = good.lines().filter(|line| line.starts_with("{\"sha256\"")).collect();
        let (dict, one, two) = (
            packs[0].trim_end_matches("],"),
            packs[1].trim_end_matches(','),
            packs[2].trim_end_matches("],"),
        );
        for (damage, error, from, to) in MANIFEST_EDITS {
            let bytes = good.replacen(from, to, 1);
            if bytes == good {
                return Err(format!("manifest_{damage} changes nothing").into());
            }
            self.add("manifest", damage, error, bytes);
        }
        let two_dicts = good.replace(dict, &format!("{dict},\n{dict}"));
        self.add("manifest", "dict-twice", "Contradiction: two dictionaries with one id", two_dicts);
        self.add("manifest", "pack-twice", PACK_ORDER, good.replace(one, &format!("{one},\n{one}")));
        let swapped = good.replace(&format!("{one},\n{two}"), &format!("{two},\n{one}"));
        self.add("manifest", "packs-out-of-order", PACK_ORDER, swapped);
        let accepted = held.replace("\"verdict\":\"held\"", "\"verdict\":\"accepted\"");
        let error = "Contradiction: accepted snapshot before an accepted one";
        self.add("manifest", "accepted-beside-accepted", error, accepted);
        self.add("manifest", "truncated", "Json", &good.as_bytes()[..good.len() - 3]);
        Ok(())
    }

    fn tiles(&mut self) -> Result<(), Box<dyn Error>> {
        let bundle =
            TileId::entries(1, u16::try_from(self.site.log.size() % 256)?).ok_or("a partial bundle")?;
        let good = self.object(ObjectKey::Tile(bundle))?.clone();
        self.add("bundle", "truncated", "Truncated", &good[..good.len() - 1]);
        self.add("bundle", "one-entry-more", "Count", [&good[..], b"\0\x02{}"].concat());
        self.add("bundle", "empty-entry", "EntryLength", [&[0, 0][..], &good].concat());
        self.add("bundle", "oversize-entry", "EntryLength", [&[4, 1][..], &[b' '; 1025]].concat());
        self.add("entry", "unknown-verdict", "Fields", br#"{"type":"snapshot","time":"2026-11-21T08:00:00Z","sequence":1,"manifest":"0000000000000000000000000000000000000000000000000000000000000000","verdict":"maybe"}"#.as_slice());
        self.add("entry", "no-type", "Json", br#"{"time":"2026-11-21T08:00:00Z"}"#.as_slice());
        self.add(
            "entry",
            "oversize",
            "TooLarge",
            format!("{{\"type\":\"later\",\"x\":\"{}\"}}", "x".repeat(1024)),
        );
        Ok(())
    }

    fn checkpoints(&mut self) -> Result<(), Box<dyn Error>> {
        let key = &self.site.keys.signing_key;
        let size = self.site.log.size();
        let good = String::from_utf8(self.object(ObjectKey::Checkpoint(size))?.clone())?;
        let (text, line) = good.split_once("\n\n").ok_or("a note has signatures")?;
        let (text, line) = (format!("{text}\n"), line.to_owned());
        let root = text.lines().nth(2).ok_or("a checkpoint has a root")?.to_owned();
        let origin = self.site.keys.site.origin();
        let signed = |text: String| forge::sign(&text, key);
        let stranger = SigningKey::from_seed(&origin, &[7; 32])?;
        let rows: Vec<(&str, &'static str, String)> = vec![
            (
                "bit-flip-in-size",
                "WrongSignature",
                good.replace(&format!("\n{size}\n"), &format!("\n{}\n", size + 1)),
            ),
            (
                "bad-signature",
                "WrongSignature",
                format!("{text}\n{}", signed("other\n".to_owned())?.split_once("\n\n").ok_or("signed")?.1),
            ),
            ("unsigned", "Form", text.clone()),
            ("other-key", "NotSigned", forge::sign(&text, &stranger)?),
            ("size-leading-zero", "NotACheckpoint", signed(format!("{origin}\n0{size}\n{root}\n"))?),
            ("size-plus", "NotACheckpoint", signed(format!("{origin}\n+{size}\n{root}\n"))?),
            ("short-root", "NotACheckpoint", signed(format!("{origin}\n{size}\n{}\n", &root[4..]))?),
            ("empty-extension-line", "NotACheckpoint", signed(format!("{origin}\n{size}\n{root}\n\nx\n"))?),
            ("other-origin", "Origin", signed(format!("lifeboat/B81001\n{size}\n{root}\n"))?),
            ("carriage-returns", "Form", good.replace('\n', "\r\n")),
            ("hyphen-for-dash", "Form", good.replace('—', "-")),
            ("signatures-101", "TooManySignatures", format!("{text}\n{}", line.repeat(101))),
        ];
        for (damage, error, note) in rows {
            self.add("checkpoint", damage, error, note);
        }
        Ok(())
    }

    fn heads(&mut self) -> Result<(), Box<dyn Error>> {
        let good = &self.site.head;
        let edit = |change: &dyn Fn(&mut lifeboat_format::Head)| {
            let mut head = good.clone();
            change(&mut head);
            head.to_bytes()
        };
        let text = String::from_utf8(good.to_bytes())?;
        let newest = |head: &mut lifeboat_format::Head| {
            head.manifest = head.manifest.replace("\"patients\":1", "\"patients\":9")
        };
        let accepted = |head: &mut lifeboat_format::Head| {
            head.accepted_manifest =
                head.accepted_manifest.as_ref().map(|text| text.replace("\"patients\":5", "\"patients\":9"));
        };
        let other_root = {
            let checkpoint = lifeboat_format::Checkpoint {
                origin: self.site.keys.site.origin(),
                size: self.site.log.size(),
                root: lifeboat_format::Digest::of(b"another root"),
            };
            lifeboat_format::sign_checkpoint(&checkpoint, &self.site.keys.signing_key)
        };
        let rows: Vec<(&str, &'static str, Vec<u8>)> = vec![
            ("mismatched-root", "Inclusion.Root", edit(&|head| head.checkpoint = other_root.clone())),
            ("wrong-index", "Inclusion.Length", edit(&|head| head.entry_index = 5)),
            ("index-beyond-log", "Inclusion.Range", edit(&|head| head.entry_index = 100_000)),
            ("short-proof", "Inclusion.Length", edit(&|head| head.inclusion.truncate(1))),
            ("changed-entry", "Inclusion.Root", edit(&|head| head.entry.push(' '))),
            ("changed-manifest", "ManifestDigest: newest", edit(&newest)),
            ("changed-accepted-manifest", "ManifestDigest: accepted", edit(&accepted)),
            (
                "accepted-missing",
                "Contradiction: presence of an accepted snapshot",
                edit(&|head| head.accepted_manifest = None),
            ),
            (
                "bad-signature",
                "Checkpoint.WrongSignature",
                edit(&|head| head.checkpoint = head.checkpoint.replacen("\n26", "\n36", 1)),
            ),
            ("newer-format", "Newer", edit(&|head| head.format = 2)),
            ("unknown-field", "Json", text.replacen('{', "{\"x\":1,", 1).into_bytes()),
            ("truncated", "Json", text.as_bytes()[..text.len() / 2].to_vec()),
        ];
        for (damage, error, bytes) in rows {
            self.add("head", damage, error, bytes);
        }
        Ok(())
    }

    fn kits(&mut self) -> Result<(), Box<dyn Error>> {
        let good = self.site.extra["kit/binary.lifeboat-kit"].clone();
        let content = serde_json::json!({
            "kit": 1, "site": "A81001", "name": "duty doctor",
            "verification_key": self.site.keys.signing_key.verification_key(),
            "lookup_key": self.site.keys.lookup_key.to_hex().as_str(),
            "identity": crate::site::HOLDER_IDENTITY, "replicas": [], "created": "2026-11-21T08:00:00Z",
        });
        let content = content.to_string();
        let other_site = SigningKey::from_seed("lifeboat/B81001", &[1; 32])?.verification_key();
        let site_key = self.site.keys.signing_key.verification_key().to_string();
        self.add("kit", "truncated", "Open.Payload", &good[..good.len() - 1]);
        self.add(
            "kit",
            "other-passphrase",
            "Open.WrongKey",
            forge::seal_passphrase("another", content.as_bytes())?,
        );
        self.add("kit", "sealed-to-recipient", "Open.NotPassphrase", self.seal(content.as_bytes())?);
        let rows: Vec<(&str, &'static str, String)> = vec![
            ("newer", "Newer", content.replace("\"kit\":1", "\"kit\":2")),
            ("unknown-field", "Content", content.replace("\"kit\":1", "\"kit\":1,\"x\":1")),
            (
                "key-of-other-site",
                "Contradiction: name of the verification key",
                content.replace(&site_key, &other_site.to_string()),
            ),
            ("epoch-secret", "Content", self.site.keys.secret().to_secret_text().to_string()),
        ];
        for (damage, error, content) in rows {
            let sealed = forge::seal_passphrase(PASSPHRASE, content.as_bytes())?;
            self.add("kit", damage, error, sealed);
        }
        Ok(())
    }

    fn sites(&mut self) -> Result<(), Box<dyn Error>> {
        let good = String::from_utf8(self.object(ObjectKey::Site)?.clone())?;
        let rows: Vec<(&str, &'static str, String)> = vec![
            ("newer-format", "Newer", good.replace("\"format\": 1", "\"format\": 2")),
            ("unknown-field", "Json", good.replace("\"format\": 1", "\"format\": 1, \"x\": 1")),
            (
                "other-origin",
                "Contradiction: origin",
                good.replace("\"origin\": \"lifeboat/A81001\"", "\"origin\": \"lifeboat/B81001\""),
            ),
            (
                "name-with-line-end",
                "Contradiction: name",
                good.replace("The Test Surgery", "The\\nTest Surgery"),
            ),
            ("key-hash", "Json", good.replacen("lifeboat/A81001+", "lifeboat/A81001+0", 1)),
        ];
        for (damage, error, text) in rows {
            self.add("site", damage, error, text);
        }
        Ok(())
    }
}

fn with_byte(bytes: &[u8], index: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[index] = value;
    bytes
}
