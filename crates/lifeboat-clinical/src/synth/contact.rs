//! Where the made-up patients live and how to reach them: places that do not exist, and telephone
//! numbers that Ofcom keeps for drama, so that nobody real can be called or visited.

use super::random::Random;

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) lines: Vec<String>,
    pub(crate) city: &'static str,
    pub(crate) district: &'static str,
    pub(crate) postcode: String,
}

const STREETS: &[&str] = &[
    "Lantern Street",
    "Harbour Road",
    "Beacon Hill",
    "Tiller Close",
    "Mill Lane",
    "Capstan Way",
    "Oakum Terrace",
    "Old Chapel Row",
    "Keel Avenue",
    "Sandpiper Drive",
    "Windlass Court",
    "St Elmo's Crescent",
    "Foghorn Lane",
    "The Moorings",
    "Lower Quay",
    "Anchor Fold",
    "Rope Walk",
    "Ferryman's Yard",
    "Tidewell Gardens",
    "Barnacle Rise",
];
const HOUSES: &[&str] =
    &["Flat 2", "Flat 14b", "The Old Lighthouse", "Rose Cottage", "Seaview", "Room 6, Breakwater Care Home"];
const LOCALITIES: &[&str] = &["Saltmarsh", "Upper Tarn", "Netherby Sands", "Cold Harbour", "Gull's Reach"];
const CITIES: &[&str] = &["Port Selkie", "Marram", "Little Fathom", "Estuary-on-Sea", "Kittiwake"];
const DISTRICTS: &[&str] = &["North Saltshire", "West Marramshire"];

/// Draws an address; the postcode area ZZ is not a place.
pub(crate) fn draw_address(random: &mut Random) -> Address {
    let mut lines = Vec::new();
    if random.chance(22) {
        lines.push((random.pick(HOUSES)).to_owned());
    }
    lines.push(format!("{} {}", random.between(1, 199), random.pick(STREETS)));
    if random.chance(35) {
        lines.push((random.pick(LOCALITIES)).to_owned());
    }
    let letters = b"ABDEFGHJLNPQRSTUWXYZ";
    let first = char::from(random.pick(letters));
    let second = char::from(random.pick(letters));
    let postcode = format!("ZZ{} {}{first}{second}", random.between(90, 99), random.below(10));
    Address { lines, city: random.pick(CITIES), district: random.pick(DISTRICTS), postcode }
}

/// Draws a mobile number of the range kept for drama.
pub(crate) fn draw_mobile(random: &mut Random) -> String {
    let tail = random.below(1000);
    if random.chance(12) { format!("+44 7700 900{tail:03}") } else { format!("07700 900{tail:03}") }
}

/// Draws a landline number of the ranges kept for drama.
pub(crate) fn draw_landline(random: &mut Random) -> String {
    let tail = random.below(1000);
    if random.chance(40) { format!("020 7946 0{tail:03}") } else { format!("01632 960{tail:03}") }
}
