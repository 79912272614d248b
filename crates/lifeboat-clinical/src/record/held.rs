//! A piece while a record is built from it, with the members that matter read once.

use std::borrow::Cow;

use crate::date::instant;
use crate::fhir::{Piece, ResourceType, Role, SectionFact, hex, type_slash_id};
use crate::json::{Json, members};
use crate::problem::Place;
use crate::section::SectionId;

members! {
    /// The members that decide where a resource belongs and when it happened.
    pub(super) struct ItemMembers {
        id: "id",
        meta: "meta",
        status: "status",
        intent: "intent",
        clinical_status: "clinicalStatus",
        verification_status: "verificationStatus",
        category: "category",
        code: "code",
        kind: "type",
        reference_range: "referenceRange",
        interpretation: "interpretation",
        value_quantity: "valueQuantity",
        value_concept: "valueCodeableConcept",
        value_string: "valueString",
        component: "component",
        members: "hasMember",
        result: "result",
        course: "courseOfTherapyType",
        dispense: "dispenseRequest",
        authority: "authorizingPrescription",
        effective: "effectiveDateTime",
        effective_instant: "effectiveInstant",
        effective_period: "effectivePeriod",
        performed: "performedDateTime",
        performed_period: "performedPeriod",
        occurrence: "occurrenceDateTime",
        occurrence_period: "occurrencePeriod",
        handed_over: "whenHandedOver",
        prepared: "whenPrepared",
        onset: "onsetDateTime",
        onset_period: "onsetPeriod",
        abatement: "abatementDateTime",
        abatement_period: "abatementPeriod",
        abatement_string: "abatementString",
        authored: "authoredOn",
        period: "period",
        start: "start",
        end: "end",
        started: "started",
        date_time: "dateTime",
        date: "date",
        issued: "issued",
        recorded_date: "recordedDate",
        asserted: "dateAsserted",
        recorded: "recorded",
        created: "created",
    }
}

/// A piece of one record.
#[derive(Clone)]
pub(super) struct Held<'p> {
    pub(super) kind: ResourceType,
    pub(super) role: Role,
    pub(super) listed: Option<SectionId>,
    pub(super) full_url: Option<&'p str>,
    pub(super) facts: Vec<&'p SectionFact>,
    /// The members, as they came.
    pub(super) members: ItemMembers<'p>,
    pub(super) id: Option<Cow<'p, str>>,
    /// The resource as it came.
    pub(super) source: Json<'p>,
    /// The resource as the record will hold it.
    pub(super) text: Cow<'p, str>,
}

impl<'p> Held<'p> {
    pub(super) fn of(piece: &'p Piece) -> Self {
        let members: ItemMembers<'p> = piece.json().read();
        Self {
            kind: piece.kind,
            role: piece.role,
            listed: piece.listed,
            full_url: piece.full_url.as_deref(),
            facts: piece.facts.iter().collect(),
            members,
            source: piece.json(),
            id: members.id.and_then(Json::scalar),
            text: Cow::Borrowed(&piece.resource),
        }
    }

    pub(super) fn json(&self) -> Json<'_> {
        Json::known(&self.text)
    }

    /// Returns the place to name in a problem with this piece.
    pub(super) fn place(&self) -> Place {
        Place { resource: Some(self.kind), ..Place::default() }
    }

    /// Returns when the source last changed it, and that as written.
    pub(super) fn last_updated(&self) -> Option<(jiff::Timestamp, Cow<'p, str>)> {
        let text = self.members.meta?.field("lastUpdated")?.string()?;
        Some((instant(&text)?, text))
    }

    /// Returns every text under which references find it.
    pub(super) fn keys(&self) -> impl Iterator<Item = Cow<'p, str>> + use<'p> {
        let by_id = self.id.as_ref().map(|id| format!("{}/{id}", self.kind));
        let by_url = self.full_url.map(|url| key_of(Cow::Borrowed(url)));
        let by_url = by_url.filter(|key| by_id.as_deref() != Some(key));
        by_id.map(Cow::Owned).into_iter().chain(by_url)
    }

    /// Returns its URL within the record.
    pub(super) fn url(&self) -> Cow<'p, str> {
        if let Some(url) = self.full_url {
            return Cow::Borrowed(url);
        }
        Cow::Owned(match &self.id {
            Some(id) => format!("https://source.invalid/{}/{id}", self.kind),
            None => {
                use sha2::Digest as _;
                let hash = sha2::Sha256::digest(self.text.as_bytes());
                format!("urn:lifeboat:item:{}", hex(&hash[..16]))
            }
        })
    }
}

/// Returns the text under which a reference finds what it means: `Type/id`, or the URL itself.
pub(super) fn key_of(reference: Cow<'_, str>) -> Cow<'_, str> {
    match type_slash_id(&reference) {
        Some(key) if key.len() < reference.len() => Cow::Owned(key.into_owned()),
        _ => reference,
    }
}
