//! `RECOVER.txt`: how to get everything back with stock tools, written into every replica.

use crate::site::SiteDescription;

/// The line before the recovery script.
pub(crate) const SCRIPT_BEGIN: &str = "-----BEGIN SCRIPT-----";
/// The line after the recovery script.
pub(crate) const SCRIPT_END: &str = "-----END SCRIPT-----";
/// The recovery script.
pub(crate) const SCRIPT: &str = include_str!("recover.sh");

/// Returns the text of `RECOVER.txt` for a site.
pub fn recover_text(site: &SiteDescription) -> String {
    let SiteDescription { site: code, name, verification_key, .. } = site;
    format!(
        "\
HOW TO RECOVER THIS COPY WITHOUT LIFEBOAT
=========================================

This folder is a complete, sealed copy of the patient summaries and day lists of
{name} (site {code}), kept by Lifeboat. Whoever holds a recipient's secret
key, a kit, or the break-glass passphrase can read it with these ordinary tools:

    age (https://age-encryption.org), zstd, sha256sum, jq and a POSIX shell

Anyone can check that it is whole: the name of every file in packs/, indexes/,
manifests/ and dicts/ is the SHA-256 of its content.

THE QUICK WAY
-------------

1. Copy the lines between BEGIN SCRIPT and END SCRIPT below into `recover.sh`, or:

       sed -n '/^-----BEGIN SCRIPT-----$/,/^-----END SCRIPT-----$/p' RECOVER.txt |
         sed '1d;$d' > recover.sh

2. Have your identity file, the one with the line AGE-SECRET-KEY-1... in it. From
   a kit, which is sealed under your passphrase, it comes with

       age -d yours.lifeboat-kit | jq -r .identity > identity.txt

3. Run the script on a disk that you trust: it writes readable patient records.

       sh recover.sh <replica folder> identity.txt <output folder>

   With - instead of the identity file it asks for the break-glass passphrase.
   Afterwards the output folder holds one file per record, <record key>.json, and
   directory.ndjson, which says in each line whose record has which key (\"k\").
   Each record is an HL7 FHIR R4 Bundle. Day lists are those with \"id\":\"day-...\".

4. Delete identity.txt and, when it is no longer needed, the output folder.

If HEAD is missing or damaged, the script takes the accepted manifest with the
highest sequence that the log in log/tile/entries names. If a pack is damaged it
restores what lies elsewhere, says which records it could not restore, and ends
with an error; another replica of the same site has the same files.

WHAT THE SCRIPT DOES, BY HAND
-----------------------------

1. HEAD is JSON. Its field \"manifest\" is the text of the newest snapshot's
   manifest. When that snapshot is held (\"gate\" says so), it looked wrong when it
   was taken, and \"accepted_manifest\" is the one to use. The same texts lie under
   manifests/, named by their SHA-256.
2. epochs/<n>/recipients.age, where <n> is the manifest's epoch number, opens with
   `age -d -i identity.txt`; passphrase.age with the passphrase. Inside is another
   age identity file: the epoch secret. It opens everything below.
3. dicts/<sha256>, sealed with age, are zstd dictionaries; the manifest gives the
   id of each.
4. indexes/<2 hex>/<sha256> is made of parts; the manifest gives kind, offset,
   length and SHA-256 of each. Cut a part out with tail and head, open it with
   age and zstd: JSON lines. In \"locator\" parts k is a record's key, p the
   beginning of a pack's name, o and l offset and length in that pack, h the
   SHA-256 of that range. A row in the delta index replaces the base's; t \"x\" says
   that the record was removed.
5. packs/<2 hex>/<sha256>: cut the range out, open it with age, then
   `zstd -d`, with `-D dictionary` when the zstd frame names one. `zstd -lv` shows
   the id of the dictionary; older versions of zstd do not, then it is in
   the bytes after the frame's first five or six. Bytes after the frame are padding
   that zstd skips.

WHO SIGNED IT
-------------

The checkpoints of the log in checkpoints/ and HEAD are signed notes (C2SP) of

    {verification_key}

The tools above cannot check that signature; `lifeboat verify` and any checker of
C2SP signed notes can. Compare the key with the one in a kit: a folder can claim
any key.

The lines below this one are the script.

{SCRIPT_BEGIN}
{SCRIPT}{SCRIPT_END}
"
    )
}

#[cfg(test)]
mod tests;
