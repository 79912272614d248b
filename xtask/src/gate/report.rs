//! The measurements as tables in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::measure::{AttackResult, DrainResult, Measured, SeedSet};
use super::practice::float;

/// Writes everything that was measured on one set of seeds.
pub(crate) fn tables(measured: &Measured) -> String {
    let mut text = String::new();
    let (set, said) = match measured.set {
        SeedSet::Tuning => ("Tuning seeds", "limits were chosen on these"),
        SeedSet::HeldOut => ("Held-out seeds", "nothing was chosen on these"),
    };
    let last = measured.first_seed + measured.practices - 1;
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(format!("## {set} {} to {last} ({said})\n", measured.first_seed));
    let years = float(measured.practices);
    line(format!("{} practices for a year each.\n", measured.practices));
    line("| good snapshots held | gate | mean + 3σ | ≥ 100 and > 50 % |".to_owned());
    line("|---|---|---|---|".to_owned());
    line(format!(
        "| per practice and year | {:.2} | {:.2} | {:.2} |",
        float(measured.false_holds) / years,
        float(measured.peers_false[0]) / years,
        float(measured.peers_false[1]) / years
    ));
    line(format!(
        "\nWithin the first thirty days of a site: {:.2} per practice. Practices with more than two in the year: {}. \
         By rule: {}. Where everything happens twice as often: {:.2} per practice and year.\n",
        float(measured.false_holds_at_start) / years,
        measured.practices_with_many,
        counted(&measured.false_rules),
        float(measured.false_holds_doubled) / years
    ));
    line("| attack | gate | target | mean + 3σ | ≥ 100 and > 50 % | rules that spoke (alone) |".to_owned());
    line("|---|---|---|---|---|---|".to_owned());
    measured.attacks.iter().for_each(|attack| line(attack_row(attack)));
    let start: Vec<&AttackResult> = measured.at_start.iter().filter(|attack| attack.tried > 0).collect();
    let worst = start.iter().min_by(|one, two| {
        let rate = |attack: &AttackResult| float(attack.held) / float(attack.tried);
        rate(one).total_cmp(&rate(two))
    });
    if let Some(worst) = worst {
        let (held, tried) =
            start.iter().fold((0, 0), |sum, attack| (sum.0 + attack.held, sum.1 + attack.tried));
        line(format!(
            "\nThe same attacks with a target within the first ten days of a site: {} held; worst: {} ({}).",
            rate(held, tried),
            worst.attack,
            rate(worst.held, worst.tried)
        ));
    }
    line("\n| drain | noticed within 150 days | after days: median (one in ten before, after) | mean + 3σ | ≥ 100 and > 50 % |".to_owned());
    line("|---|---|---|---|---|".to_owned());
    measured.drains.iter().for_each(|drain| line(drain_row(drain)));
    text
}

fn rate(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * float(part) / float(whole.max(1)))
}

fn attack_row(result: &AttackResult) -> String {
    let reached = float(result.held) >= result.target.unwrap_or(0.0) * float(result.tried);
    let target = match result.target {
        Some(target) if reached => format!("≥ {:.0} %", target * 100.0),
        Some(target) => format!("≥ {:.0} % MISSED", target * 100.0),
        None => "none".to_owned(),
    };
    let mut rules = String::new();
    let mut spoke: Vec<_> = result.rules.iter().collect();
    spoke.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
    for (code, times) in spoke.into_iter().take(4) {
        let alone = result.alone.get(code).copied().unwrap_or(0);
        let comma = if rules.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _written =
            write!(rules, "{comma}{code} {} ({})", rate(*times, result.tried), rate(alone, result.tried));
    }
    format!(
        "| {} | {} | {target} | {} | {} | {rules} |",
        result.attack,
        rate(result.held, result.tried),
        rate(result.peers[0], result.tried),
        rate(result.peers[1], result.tried)
    )
}

fn drain_row(result: &DrainResult) -> String {
    let mut days = result.days.clone();
    days.sort_unstable();
    let at = |tenths: usize| days.get(days.len() * tenths / 10).map_or("–".to_owned(), ToString::to_string);
    let noticed = u64::try_from(days.len()).unwrap_or(0);
    format!(
        "| {} | {} | {} ({}, {}) | {} | {} |",
        result.drain,
        rate(noticed, result.tried),
        at(5),
        at(1),
        at(9),
        rate(result.peers[0], result.tried),
        rate(result.peers[1], result.tried)
    )
}

fn counted(rules: &BTreeMap<&'static str, u64>) -> String {
    let rules: Vec<String> = rules.iter().map(|(code, times)| format!("{code} {times}")).collect();
    if rules.is_empty() { "none".to_owned() } else { rules.join(", ") }
}
