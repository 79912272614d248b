//! Changes of rows as they wait for their batch to be complete.

use super::hash::RowHash;
use jiff::civil::Date;
use lifeboat_feeds::rows::codec;
use lifeboat_feeds::{TableSpec, Unit, Values};

/// Which of two changes of one row holds: the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order {
    /// What the feed says.
    pub(crate) precedence: u64,
    /// The file of the batch, or the part of a pull.
    pub(crate) file: u32,
    /// The row in it.
    pub(crate) row: u64,
}

/// What a change does to the rows of its owner.
#[derive(Clone)]
pub(crate) enum Step {
    /// Puts a row in place of the one with the same table and key.
    Put { unit: Unit, table: &'static TableSpec, key: Box<str>, values: Values },
    /// Removes a row.
    Remove { table: &'static TableSpec, key: Box<str> },
    /// Removes the owner. Where it was a row of a table that said so, a greater row of that table unsays it.
    RemoveUnit { said_in: Option<&'static TableSpec> },
    /// Removes the row of this name, which has another owner now.
    Drop(RowHash),
}

/// One change.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) order: Order,
    pub(crate) step: Step,
}

impl Change {
    /// Writes the change; tables are written by their place in `tables`.
    pub(crate) fn encode(&self, tables: &'static [TableSpec]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&self.order.precedence.to_le_bytes());
        bytes.extend_from_slice(&self.order.file.to_le_bytes());
        bytes.extend_from_slice(&self.order.row.to_le_bytes());
        let place = |table: &TableSpec| tables.iter().position(|known| std::ptr::eq(known, table));
        match &self.step {
            Step::Put { unit, table, key, values } => {
                bytes.push(b'p');
                put_unit(&mut bytes, unit);
                codec::put_number(&mut bytes, place(table).unwrap_or(tables.len()));
                codec::put_text(&mut bytes, key);
                values.iter().for_each(|value| codec::put_optional(&mut bytes, value.as_deref()));
            }
            Step::Remove { table, key } => {
                bytes.push(b'r');
                codec::put_number(&mut bytes, place(table).unwrap_or(tables.len()));
                codec::put_text(&mut bytes, key);
            }
            Step::RemoveUnit { said_in } => {
                bytes.push(b'u');
                codec::put_number(&mut bytes, said_in.and_then(place).unwrap_or(tables.len()));
            }
            Step::Drop(hash) => {
                bytes.push(b'd');
                bytes.extend_from_slice(hash);
            }
        }
        bytes
    }

    /// Reads what [`Change::encode`] wrote.
    pub(crate) fn decode(tables: &'static [TableSpec], bytes: &[u8]) -> Option<Self> {
        let (precedence, rest) = bytes.split_first_chunk()?;
        let (file, rest) = rest.split_first_chunk()?;
        let (row, rest) = rest.split_first_chunk()?;
        let order = Order {
            precedence: u64::from_le_bytes(*precedence),
            file: u32::from_le_bytes(*file),
            row: u64::from_le_bytes(*row),
        };
        let (tag, mut rest) = rest.split_first()?;
        let rest = &mut rest;
        let step = match tag {
            b'p' => {
                let unit = take_unit(rest)?;
                let table = tables.get(codec::take_number(rest)?)?;
                let key = codec::take_text(rest)?.into();
                let values: Option<Vec<Option<Box<str>>>> =
                    table.columns.iter().map(|_| Some(codec::take_optional(rest)?.map(Box::from))).collect();
                Step::Put { unit, table, key, values: values?.into() }
            }
            b'r' => Step::Remove {
                table: tables.get(codec::take_number(rest)?)?,
                key: codec::take_text(rest)?.into(),
            },
            b'u' => Step::RemoveUnit { said_in: tables.get(codec::take_number(rest)?) },
            b'd' => {
                let (hash, after) = rest.split_first_chunk()?;
                *rest = after;
                Step::Drop(*hash)
            }
            _ => return None,
        };
        rest.is_empty().then_some(Self { order, step })
    }
}

/// Writes an owner.
pub(crate) fn put_unit(bytes: &mut Vec<u8>, unit: &Unit) {
    match unit {
        Unit::Patient(name) => {
            bytes.push(b'p');
            codec::put_text(bytes, name);
        }
        Unit::Day(day) => {
            bytes.push(b'd');
            bytes.extend_from_slice(&day.year().to_le_bytes());
            bytes.extend_from_slice(&[day.month().unsigned_abs(), day.day().unsigned_abs()]);
        }
        Unit::Shared => bytes.push(b's'),
    }
}

/// Reads an owner.
pub(crate) fn take_unit(bytes: &mut &[u8]) -> Option<Unit> {
    let (tag, rest) = bytes.split_first()?;
    *bytes = rest;
    match tag {
        b'p' => Some(Unit::Patient(codec::take_text(bytes)?.to_owned())),
        b'd' => {
            let (&[low, high, month, day], rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            let year = i16::from_le_bytes([low, high]);
            Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok().map(Unit::Day)
        }
        b's' => Some(Unit::Shared),
        _ => None,
    }
}
