//! Reads the viewer's pages as a browser would and compares them with what the generator put into the practice.

use lifeboat_clinical::nhs_number;
use lifeboat_clinical::synth::{AllergyStory, Expected, Practice, SITE_CODE};
use serde::Serialize;
use serde_json::Value;

use super::http::Browser;
use super::viewer::Viewer;
use super::{DemoError, wrong};

/// A page that shows what it should.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    /// Which page.
    pub(super) page: String,
    /// What it shows, without anybody's data.
    pub(super) shows: String,
}

/// Fetches the pages and checks them; the first that is wrong is the error.
pub(super) fn pages(viewer: &Viewer, practice: &Practice) -> Result<Vec<Checked>, DemoError> {
    let mut browser = Browser::new(&viewer.address.url)?;
    let mut checked = Vec::new();
    day_list(&mut browser, viewer, practice, &mut checked)?;
    searches(&mut browser, practice, &mut checked)?;
    patients(&mut browser, practice, &mut checked)?;
    let copy = browser.get("/copy")?;
    must_show(&copy, "the page about the copy", &["server-room", "branch-surgery", "cloud", SITE_CODE])?;
    note(&mut checked, "about this copy", "all three replicas and the state of each");
    Ok(checked)
}

fn day_list(
    browser: &mut Browser,
    viewer: &Viewer,
    practice: &Practice,
    checked: &mut Vec<Checked>,
) -> Result<(), DemoError> {
    let launch = viewer.address.launch_url.trim_end_matches('/');
    let path = launch.strip_prefix(viewer.address.url.trim_end_matches('/')).unwrap_or("/");
    let page = browser.get(path)?;
    must_show(&page, "the day list", &["Day list", "(today)"])?;
    let patients: Vec<Expected> = (0..practice.patients()).map(|index| practice.expected(index)).collect();
    let mut shown = 0;
    for appointment in practice.appointments_on(practice.today()) {
        let Some(patient) = booked(&appointment, &patients) else { continue };
        must_show(&page, "the day list", &[&family(patient)])?;
        shown += 1;
    }
    if shown == 0 {
        return Err(wrong("the practice has no appointment today"));
    }
    note(checked, "day list", &format!("all of {shown} appointments with their patients"));
    Ok(())
}

/// Finds the patient of an appointment.
fn booked<'a>(appointment: &Value, patients: &'a [Expected]) -> Option<&'a Expected> {
    let actors = appointment["participant"].as_array()?;
    let id =
        actors.iter().find_map(|actor| actor["actor"]["reference"].as_str()?.strip_prefix("Patient/"))?;
    patients.iter().find(|patient| patient.id == id)
}

fn searches(browser: &mut Browser, practice: &Practice, checked: &mut Vec<Checked>) -> Result<(), DemoError> {
    let patient = somebody(practice, |patient| patient.nhs_number.is_some() && !patient.phones.is_empty())
        .ok_or_else(|| wrong("the practice has nobody with an NHS number and a telephone"))?;
    let number = patient.nhs_number.clone().unwrap_or_default();
    let born = patient.born;
    let queries = [
        ("NHS number", nhs_number::format(&number)),
        (
            "name and date of birth",
            format!("{} {}", patient.family.to_lowercase(), born.strftime("%d/%m/%Y")),
        ),
        ("telephone", patient.phones[0].clone()),
        ("postcode", patient.postcode.clone()),
    ];
    for (what, query) in queries {
        let page = search(browser, &query)?;
        let subject = format!("the search by {what}");
        must_show(&page, &subject, &[&family(&patient), &nhs_number::format(&number)])?;
        note(checked, &format!("search by {what}"), "the patient, with NHS number");
    }
    let nobody = search(browser, "zzzzqqqq 1/1/1800")?;
    must_show(&nobody, "the search for nobody", &["Nobody found"])?;
    note(checked, "search for nobody", "that nobody was found");
    Ok(())
}

fn patients(browser: &mut Browser, practice: &Practice, checked: &mut Vec<Checked>) -> Result<(), DemoError> {
    type Is = fn(AllergyStory) -> bool;
    let states: [(&str, Is); 4] = [
        ("Known allergies", |story| matches!(story, AllergyStory::Known(count) if count > 0)),
        ("No known allergies", |story| story == AllergyStory::NoneKnown),
        ("Allergies not recorded", |story| story == AllergyStory::NotRecorded),
        ("Allergies unavailable", |story| {
            matches!(story, AllergyStory::Withheld | AllergyStory::Unavailable)
        }),
    ];
    for (words, is_state) in states {
        let fits = |patient: &Expected| {
            is_state(patient.allergies) && patient.nhs_number.is_some() && !patient.sensitive
        };
        // A small practice may have nobody whose section is withheld.
        let Some(patient) = somebody(practice, fits) else { continue };
        let number = nhs_number::format(patient.nhs_number.as_deref().unwrap_or_default());
        let results = search(browser, &number)?;
        let link = record_link(&results).ok_or_else(|| wrong("a search result leads to no record"))?;
        let page = browser.get(&link)?;
        let born = patient.born.strftime("%d-%b-%Y").to_string();
        let subject = format!("the record of a patient with \"{words}\"");
        must_show(&page, &subject, &[&family(&patient), &number, &born, words, "Born", "NHS No."])?;
        note(checked, "patient", &format!("the banner, and the allergy header \"{words}\""));
    }
    Ok(())
}

/// Sends the search form as a browser does, with its hidden fields.
fn search(browser: &mut Browser, query: &str) -> Result<String, DemoError> {
    let form = browser.get("/search")?;
    let hidden = hidden_fields(&form);
    let mut fields: Vec<(&str, &str)> =
        hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.push(("query", query));
    browser.post("/search", &fields)
}

/// Returns the first patient for whom `fits` holds.
fn somebody(practice: &Practice, fits: impl Fn(&Expected) -> bool) -> Option<Expected> {
    (0..practice.patients()).map(|index| practice.expected(index)).find(|patient| fits(patient))
}

/// Checks that a page shows every text, and what every page must show.
fn must_show(page: &str, subject: &str, texts: &[&str]) -> Result<(), DemoError> {
    let everywhere = ["NOT LIVE", SITE_CODE, "Copy as of", "Reading:"];
    for text in texts.iter().chain(&everywhere) {
        if !page.contains(*text) {
            // The text may be a name; say which kind of thing is missing, not what it is.
            let what = if everywhere.contains(text) || text.len() > 20 { text } else { "something" };
            return Err(wrong(format!("{subject} does not show {what} that it should")));
        }
    }
    Ok(())
}

/// Writes a family name as the viewer does.
fn family(patient: &Expected) -> String {
    patient.family.to_uppercase()
}

fn note(checked: &mut Vec<Checked>, page: &str, shows: &str) {
    checked.push(Checked { page: page.to_owned(), shows: shows.to_owned() });
}

/// Finds the address of the first record on a page of results.
fn record_link(page: &str) -> Option<String> {
    let start = page.find("href=\"/p/")? + "href=\"".len();
    let end = page[start..].find('"')?;
    Some(page[start..start + end].to_owned())
}

/// Finds the hidden fields of the forms on a page.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for tag in page.split("<input").skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let field = |name: &str| {
            let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
            let end = tag[start..].find('"')?;
            Some(tag[start..start + end].to_owned())
        };
        if field("type").as_deref() == Some("hidden")
            && let (Some(name), Some(value)) = (field("name"), field("value"))
            && !fields.iter().any(|(known, _)| *known == name)
        {
            fields.push((name, value));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_fields_and_links_are_found_once() {
        let page = "<form><input type=\"hidden\" name=\"form_token\" value=\"abc\"><input type=\"text\" name=\"query\" \
                    value=\"\"></form><form><input type=\"hidden\" name=\"form_token\" value=\"abc\"></form>\
                    <a href=\"/search\">x</a><a href=\"/p/0123\">y</a>";
        assert_eq!(hidden_fields(page), [("form_token".to_owned(), "abc".to_owned())]);
        assert_eq!(record_link(page).as_deref(), Some("/p/0123"));
        assert_eq!(record_link("<a href=\"/search\">"), None);
    }
}
