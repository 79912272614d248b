//! What the server says it can do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::error::{PullError, Step};
use super::http::{Accept, Call, Server};

/// What the server says it can do, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Capability {
    types: BTreeMap<String, TypeCapability>,
    system: BTreeSet<String>,
    /// The server's time when it said so.
    pub(super) date: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
struct TypeCapability {
    searches: bool,
    parameters: BTreeSet<String>,
    operations: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "resourceType")]
    kind: Option<String>,
    #[serde(rename = "fhirVersion")]
    version: Option<String>,
    rest: Option<Vec<Rest>>,
}

#[derive(Deserialize)]
struct Rest {
    resource: Option<Vec<RestResource>>,
    interaction: Option<Vec<Interaction>>,
}

#[derive(Deserialize)]
struct RestResource {
    #[serde(rename = "type")]
    kind: Option<String>,
    interaction: Option<Vec<Interaction>>,
    #[serde(rename = "searchParam")]
    parameters: Option<Vec<Named>>,
    operation: Option<Vec<Operation>>,
}

#[derive(Deserialize)]
struct Interaction {
    code: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Operation {
    name: Option<String>,
    definition: Option<String>,
}

impl Capability {
    /// Asks the server.
    pub(super) async fn read(server: &Server<'_>) -> Result<Self, PullError> {
        let call = Call::get(Step::Capabilities, server.below("metadata"), Accept::Fhir);
        let fetched = server.fetch(&call).await?;
        let what = "it is not a CapabilityStatement";
        let statement: Statement = serde_json::from_slice(&fetched.body)
            .map_err(|_| PullError::Malformed { step: Step::Capabilities, what })?;
        if statement.kind.as_deref() != Some("CapabilityStatement") {
            return Err(PullError::Malformed { step: Step::Capabilities, what });
        }
        // Version 4.3 (R4B) differs from 4.0 in no resource that a summary holds.
        if !statement.version.is_some_and(|version| version.starts_with("4.0") || version.starts_with("4.3"))
        {
            return Err(PullError::NotR4);
        }
        let mut capability = Capability { date: fetched.date, ..Capability::default() };
        for rest in statement.rest.into_iter().flatten() {
            capability.add(rest);
        }
        Ok(capability)
    }

    fn add(&mut self, rest: Rest) {
        let codes = |interactions: Option<Vec<Interaction>>| {
            interactions.into_iter().flatten().filter_map(|one| one.code)
        };
        self.system.extend(codes(rest.interaction));
        for resource in rest.resource.into_iter().flatten() {
            let Some(kind) = resource.kind else { continue };
            let known = self.types.entry(kind).or_default();
            known.searches |= codes(resource.interaction).any(|code| code == "search-type");
            known.parameters.extend(resource.parameters.into_iter().flatten().filter_map(|one| one.name));
            for operation in resource.operation.into_iter().flatten() {
                let name = operation.name.unwrap_or_default();
                known.operations.insert(name.trim_start_matches('$').to_ascii_lowercase());
                let defined = operation.definition.unwrap_or_default();
                let last = defined.rsplit('/').next().unwrap_or_default();
                let last = last.split('|').next().unwrap_or_default().to_ascii_lowercase();
                known.operations.insert(last.trim_start_matches("patient-").to_owned());
            }
        }
    }

    /// Says whether the server lists a type; one that lists none at all may have any.
    pub(super) fn lists(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.contains_key(kind)
    }

    /// Says whether resources of a type can be searched for.
    pub(super) fn searches(&self, kind: &str) -> bool {
        self.types.get(kind).is_some_and(|known| known.searches)
    }

    /// Says whether a search for a type takes a parameter.
    pub(super) fn takes(&self, kind: &str, parameter: &str) -> bool {
        self.types.get(kind).is_some_and(|known| known.parameters.contains(parameter))
    }

    /// Returns the parameter by which a search for a type is limited to one patient.
    pub(super) fn patient_parameter(&self, kind: &str) -> Option<&'static str> {
        ["patient", "subject"].into_iter().find(|parameter| self.takes(kind, parameter))
    }

    /// Says whether the server lists an operation on patients.
    pub(super) fn operates(&self, operation: &str) -> bool {
        self.types.get("Patient").is_some_and(|known| known.operations.contains(operation))
    }

    /// Says whether the server lists the history of everything.
    pub(super) fn has_history(&self) -> bool {
        self.system.contains("history-system")
    }
}
