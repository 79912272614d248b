//! Feeds: what practices' systems export, turned into FHIR R4 documents that `lifeboat-clinical` reads.
//!
//! There are two kinds. A *table feed* ([`TableFeed`]: EMIS Web, SystmOne, Vision) arrives as batches of CSV files, first
//! a full one and then changes; its rows are kept by the caller, and a patient's document is made from all rows of that
//! patient ([`UnitRows`]) and from the rows that they look up ([`LookUp`]). A *document feed* (GP Connect, C-CDA, the
//! Summary Care Record) arrives as whole documents, one patient each, that are translated one by one ([`translate`]).
//!
//! Everything here is a function of bytes and rules: no clock, no files, no network. Values travel as the
//! source wrote them; what a feed cannot place goes to "other items"; nothing absent is ever turned into "none".

pub mod archive;
pub mod batch;
pub mod cda;
pub mod dates;
pub mod emis;
pub mod feed;
pub mod format;
pub mod fuzz;
pub mod gpconnect;
pub mod inspect;
pub mod problem;
pub mod r4;
pub mod recognise;
pub mod rows;
pub mod rules;
pub mod spec;
pub mod synth;
pub mod systmone;
pub mod table;
pub mod translate;
pub mod vision;

pub use feed::{Mapped, Mapping, TableFeed};
pub use format::Format;
pub use problem::{Problem, Reason};
pub use rows::{LookUp, RowChange, RowKeys, RowRef, RowSink, Unit, UnitRows, Values};
pub use rules::Rules;
pub use spec::{ColumnSpec, Place, TableSpec};
pub use translate::{Translated, translate};
