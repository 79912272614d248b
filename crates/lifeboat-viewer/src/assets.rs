//! The style sheets and the icon, embedded and served under names made from their bytes.

use std::sync::LazyLock;

use lifeboat_format::Digest;

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// The address it is served at, `/assets/<16 hex>.<extension>`.
    pub path: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// Every embedded file.
#[derive(Debug)]
pub struct Assets {
    /// The NHS design system's style sheet.
    pub nhsuk: Asset,
    /// Our own style sheet.
    pub viewer: Asset,
    /// The icon of the browser's tab.
    pub icon: Asset,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    nhsuk: asset(include_bytes!("../assets/nhsuk-frontend-10.6.1.min.css"), "css", "text/css; charset=utf-8"),
    viewer: asset(include_bytes!("../assets/viewer.css"), "css", "text/css; charset=utf-8"),
    icon: asset(include_bytes!("../assets/icon.svg"), "svg", "image/svg+xml"),
});

/// Returns the embedded files.
pub fn assets() -> &'static Assets {
    &ASSETS
}

/// Finds the embedded file that is served as `name`, the part after `/assets/`.
pub fn find(name: &str) -> Option<&'static Asset> {
    let assets = assets();
    [&assets.nhsuk, &assets.viewer, &assets.icon]
        .into_iter()
        .find(|asset| asset.path.strip_prefix("/assets/") == Some(name))
}

fn asset(bytes: &'static [u8], extension: &str, media_type: &'static str) -> Asset {
    let digest = Digest::of(bytes).to_string();
    Asset { path: format!("/assets/{}.{extension}", &digest[..16]), media_type, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_style_sheet_reaches_outside_the_program() {
        for asset in [&assets().nhsuk, &assets().viewer] {
            let text = std::str::from_utf8(asset.bytes).expect("a style sheet is text");
            for forbidden in ["url(", "http:", "https:", "@import", "@font-face", "expression("] {
                assert!(!text.contains(forbidden), "{} holds {forbidden}", asset.path);
            }
        }
    }

    #[test]
    fn an_asset_is_found_by_the_name_made_from_its_bytes_only() {
        let name = assets().viewer.path.strip_prefix("/assets/").expect("a path under /assets/");
        assert!(find(name).is_some());
        assert!(find("viewer.css").is_none());
        assert!(find("../Cargo.toml").is_none());
        assert_ne!(assets().viewer.path, assets().nhsuk.path);
    }
}
