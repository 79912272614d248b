//! `RECOVER.txt`: how to get everything back with stock tools, written into every replica.

use crate::site::SiteDescription;

/// The text, with places for what differs between sites.
const TEXT: &str = include_str!("recover.txt");
/// The recovery script, which stands in the text between two marked lines.
const SCRIPT: &str = include_str!("recover.sh");

/// Returns the text of `RECOVER.txt` for a site.
pub fn recover_text(site: &SiteDescription) -> String {
    TEXT.replace("{SCRIPT}", SCRIPT)
        .replace("{KEY}", &site.verification_key.to_string())
        .replace("{SITE}", site.site.as_str())
        .replace("{NAME}", &site.name)
}

#[cfg(test)]
mod tests;
