//! Tables: by the set of their columns, and without a header by their width.

use super::Kind;
use crate::feed::TableFeed;
use crate::format::Format;
use crate::spec::{ColumnSpec, TableSpec};
use crate::table::{After, Dialect, Header, header_names, rows_of};

/// How many rows of a table without a header are looked at.
const ROWS_MAX: usize = 50;

/// What the kinds of a Vision journal's entries are called.
const SUBSETS: [&str; 8] = ["A", "R", "S", "P", "I", "C", "T", "L"];

/// How well a file fits a table.
struct Fit {
    format: Format,
    table: &'static TableSpec,
    /// Whether the file is named after the table.
    named: bool,
    /// How many columns are known, of how many.
    known: usize,
    width: usize,
    /// A column that the table needs and the file lacks.
    missing: Option<&'static str>,
    headed: bool,
}

impl Fit {
    fn is_sound(&self) -> bool {
        self.missing.is_none()
    }

    fn score(&self) -> (bool, usize) {
        (self.named, self.known)
    }

    fn what(&self) -> String {
        let title = self.format.title();
        if self.headed {
            let (known, width) = (self.known, self.width);
            format!("{known} of {width} columns are those of {} ({title})", self.table.name)
        } else {
            format!("no header, and rows of {} fields as in {} ({title})", self.width, self.table.name)
        }
    }
}

/// Finds out which table begins so.
pub(super) fn kind(feeds: &[&dyn TableFeed], name: &str, head: &[u8], after: After) -> Kind {
    let mut fits: Vec<Fit> = Vec::new();
    for feed in feeds {
        for table in feed.tables() {
            let dialect = feed.dialect(table);
            fits.extend(match dialect.header {
                Header::Present => with_header(*feed, table, dialect, name, head),
                Header::Absent => without_header(*feed, table, dialect, name, head, after),
            });
        }
    }
    let best = fits.iter().filter(|fit| fit.is_sound()).map(Fit::score).max();
    let Some(best) = best else {
        return near_miss(&fits);
    };
    let mut fitting: Vec<&Fit> = fits.iter().filter(|fit| fit.is_sound() && fit.score() == best).collect();
    fitting.sort_by_key(|fit| fit.format);
    fitting.dedup_by_key(|fit| fit.format);
    match fitting.as_slice() {
        [fit] => Kind::Of(fit.format, fit.what()),
        _ => {
            let formats: Vec<Format> = fitting.iter().map(|fit| fit.format).collect();
            let what: Vec<String> = fitting.iter().map(|fit| fit.what()).collect();
            Kind::Tie(formats, what.join("; "))
        }
    }
}

fn near_miss(fits: &[Fit]) -> Kind {
    let nearest = fits.iter().max_by_key(|fit| fit.score());
    Kind::Other(match nearest {
        Some(Fit { table, format, missing: Some(missing), .. }) => {
            format!("is like the table {} ({}), but lacks its column {missing}", table.name, format.title())
        }
        _ => "is text, and no table that is known".to_owned(),
    })
}

fn is_named(table: &TableSpec, name: &str) -> bool {
    name.split('.').next().is_some_and(|stem| stem.eq_ignore_ascii_case(table.name))
}

fn with_header(
    feed: &dyn TableFeed,
    table: &'static TableSpec,
    dialect: Dialect,
    name: &str,
    head: &[u8],
) -> Option<Fit> {
    let names = header_names(head, dialect)?;
    let spells = |column: &ColumnSpec, name: &String| {
        std::iter::once(&column.name)
            .chain(column.aliases)
            .any(|spelling| spelling.eq_ignore_ascii_case(name))
    };
    let known = names.iter().filter(|name| table.columns.iter().any(|column| spells(column, name))).count();
    // A table that shares a few common names with another is not that table.
    if known < 2 || known * 10 < names.len() * 6 {
        return None;
    }
    let missing = table
        .columns
        .iter()
        .find(|column| column.required && !names.iter().any(|name| spells(column, name)))
        .map(|column| column.name);
    let named = is_named(table, name);
    Some(Fit { format: feed.format(), table, named, known, width: names.len(), missing, headed: true })
}

fn without_header(
    feed: &dyn TableFeed,
    table: &'static TableSpec,
    dialect: Dialect,
    name: &str,
    head: &[u8],
    after: After,
) -> Option<Fit> {
    let width = table.columns.len();
    let rows = rows_of(head, dialect, ROWS_MAX, after);
    let is_number = |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let subset = table.column("SUBSET");
    let fits = |row: &Vec<String>| {
        row.len() == width
            && row.first().is_some_and(is_number)
            && subset.is_none_or(|at| SUBSETS.contains(&row[at].as_str()) || row[at].is_empty())
    };
    let sound = !rows.is_empty() && rows.iter().all(fits);
    let named = is_named(table, name);
    let known = width;
    sound.then(|| Fit { format: feed.format(), table, named, known, width, missing: None, headed: false })
}
