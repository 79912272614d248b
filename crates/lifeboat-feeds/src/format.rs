//! The formats that Lifeboat reads, and their names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A format in which a practice's records arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// FHIR R4 as JSON: Bundles, single resources, Bulk Data, International Patient Summaries.
    FhirR4,
    /// The EMIS Web extract: twenty CSV tables per batch.
    EmisWeb,
    /// The TPP SystmOne extract (SRExtract): many CSV tables with a manifest.
    SystmOne,
    /// The Vision extract: CSV files without headers.
    Vision,
    /// GP Connect Access Record: Structured (FHIR STU3).
    GpConnect,
    /// A C-CDA document (HL7 version 3 XML).
    CCda,
    /// The Summary Care Record's GP summary (HL7 version 3 XML).
    GpSummary,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 7] = [
        Self::FhirR4,
        Self::EmisWeb,
        Self::SystmOne,
        Self::Vision,
        Self::GpConnect,
        Self::CCda,
        Self::GpSummary,
    ];

    /// Returns the name by which settings and commands know the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::FhirR4 => "fhir-r4",
            Self::EmisWeb => "emis",
            Self::SystmOne => "tpp",
            Self::Vision => "vision",
            Self::GpConnect => "gpconnect",
            Self::CCda => "ccda",
            Self::GpSummary => "scr",
        }
    }

    /// Returns what people call the format.
    pub fn title(self) -> &'static str {
        match self {
            Self::FhirR4 => "FHIR R4",
            Self::EmisWeb => "EMIS Web extract",
            Self::SystmOne => "TPP SystmOne extract (SRExtract)",
            Self::Vision => "Vision extract",
            Self::GpConnect => "GP Connect Access Record: Structured (FHIR STU3)",
            Self::CCda => "C-CDA document",
            Self::GpSummary => "Summary Care Record GP summary",
        }
    }

    /// Says whether the format arrives as batches of tables whose rows must be kept.
    pub fn is_tables(self) -> bool {
        matches!(self, Self::EmisWeb | Self::SystmOne | Self::Vision)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Says that a text is not the name of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a format; the formats are fhir-r4, emis, tpp, vision, gpconnect, ccda and scr")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or(UnknownFormat)
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn every_format_is_found_by_its_name() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert!("fhir".parse::<Format>().is_err());
    }
}
