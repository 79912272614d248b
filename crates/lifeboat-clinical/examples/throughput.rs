#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::allow_attributes_without_reason,
    missing_docs
)]
use lifeboat_clinical::*;
struct Instant(f64);
fn cpu() -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse::<f64>()
        .unwrap()
        / 1e9
}
impl Instant {
    fn now() -> Self {
        Self(cpu())
    }
    fn elapsed(&self) -> El {
        El(cpu() - self.0)
    }
}
struct El(f64);
impl El {
    fn as_secs_f64(&self) -> f64 {
        self.0
    }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let today = jiff::civil::date(2026, 11, 21);
    let window = DayWindow { first: today, last: today };
    if args[1] == "read" {
        let f = std::fs::File::open(&args[2]).unwrap();
        let mut r = DocumentReader::new(f, Limits::default());
        let mut b = Vec::new();
        let (mut n, mut bytes) = (0u64, 0u64);
        let t = Instant::now();
        while let Some(d) = r.next(&mut b) {
            d.unwrap();
            n += 1;
            bytes += b.len() as u64;
        }
        println!(
            "{n} documents {bytes} bytes {:.0} MB/s; {}",
            bytes as f64 / 1e6 / t.elapsed().as_secs_f64(),
            std::fs::read_to_string("/proc/self/status")
                .unwrap()
                .lines()
                .find(|l| l.starts_with("VmHWM"))
                .unwrap()
        );
        return;
    }
    if args[1] == "show" {
        for file in &args[2..] {
            let bytes = std::fs::read(file).unwrap();
            let outline = match outline(&bytes) {
                Ok(o) => o,
                Err(e) => {
                    println!("{file}: {e}");
                    continue;
                }
            };
            let feed = FeedProfile { supplied: outline.types };
            let mut by: std::collections::BTreeMap<Owner, Vec<Piece>> = Default::default();
            let mut shared = SharedResources::default();
            for piece in split(&bytes, &window).unwrap() {
                if piece.owner == Owner::Shared {
                    shared.insert(piece);
                } else {
                    by.entry(piece.owner.clone()).or_default().push(piece)
                }
            }
            for (owner, pieces) in by {
                let kind = match &owner {
                    Owner::Patient(_) => "patient".into(),
                    o => format!("{o:?}"),
                };
                let record = build_patient_record(pieces, &shared, &feed, today);
                println!(
                    "{} {kind} bytes {} of {}",
                    file.rsplit('/').next().unwrap(),
                    record.bytes.len(),
                    bytes.len()
                );
                let text: Vec<String> = record
                    .sections
                    .iter()
                    .map(|(id, state, n)| {
                        format!("{id}:{}", if *n > 0 { n.to_string() } else { state.to_string() })
                    })
                    .collect();
                println!("   {}", text.join(" "));
                let v: serde_json::Value = serde_json::from_slice(&record.bytes).unwrap();
                for s in v["entry"][0]["resource"]["section"].as_array().unwrap() {
                    for e in s["extension"].as_array().unwrap() {
                        if e["url"] == "urn:lifeboat:section-note" {
                            println!("      {}: {}", s["title"], e["valueString"])
                        }
                    }
                }
                for p in &record.problems {
                    println!("      ! {p}")
                }
            }
        }
        return;
    }
    let bytes = std::fs::read(&args[2]).unwrap();
    let mb = bytes.len() as f64 / 1e6;
    let mut reader = DocumentReader::new(&bytes[..], Limits::default());
    let mut buf = Vec::new();
    let mut docs = Vec::new();
    let t = Instant::now();
    while let Some(d) = reader.next(&mut buf) {
        d.unwrap();
        docs.push(buf.clone());
    }
    println!("read {:.0} MB/s", mb / t.elapsed().as_secs_f64());
    let t = Instant::now();
    for d in &docs { serde_json::from_slice::<serde::de::IgnoredAny>(d).unwrap(); }
    println!("baseline IgnoredAny {:.0} MB/s", mb / t.elapsed().as_secs_f64());
    let t = Instant::now();
    for d in &docs { serde_json::from_slice::<serde_json::Value>(d).unwrap(); }
    println!("baseline Value {:.0} MB/s", mb / t.elapsed().as_secs_f64());
    for _ in 0..4 {
        let t = Instant::now();
        let mut profile = FeedProfile::default();
        for d in &docs {
            let o = outline(d).unwrap();
            profile.supplied.extend(&o.types);
        }
        println!("outline {:.0} MB/s", mb / t.elapsed().as_secs_f64());
        let t = Instant::now();
        let split: Vec<Vec<Piece>> =
            docs.iter().map(|d| lifeboat_clinical::split(d, &window).unwrap()).collect();
        let s = t.elapsed().as_secs_f64();
        println!("split {:.0} MB/s", mb / s);
        let t = Instant::now();
        let shared = SharedResources::default();
        let mut out = 0;
        for pieces in split {
            let pieces = pieces.into_iter().filter(|p| !matches!(p.owner, Owner::Day(_))).collect();
            out += build_patient_record(pieces, &shared, &profile, today).bytes.len();
        }
        let b = t.elapsed().as_secs_f64();
        println!("build {:.0} MB/s ({} MB out)", mb / b, out / 1_000_000);
        println!("split+build {:.0} MB/s", mb / (s + b));
    }
}
