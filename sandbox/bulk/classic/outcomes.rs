//! What became of the records of a batch, in their order, in the form of the job.

use super::envelope;
use super::form::Form;
use crate::bulk::dialect::Dialect;
use crate::bulk::job::{Ingest, Job, Work};
use crate::bulk::outcome::Outcome;
use crate::bulk::results::FAILED_IDS_SINCE;
use crate::wire;
use http::HeaderMap;
use serde_json::{Value as Json, json};

/// The outcomes, written down.
pub fn written(batch: &Job, form: Form, headers: &HeaderMap) -> Vec<u8> {
    let outcomes = match &batch.work {
        Work::Ingest(Ingest {
            upload: Some(upload), ..
        }) => upload.outcomes(),
        _ => &[],
    };
    let shown: Vec<Shown<'_>> = outcomes.iter().map(|one| Shown::of(one, batch.version)).collect();
    match form {
        Form::Csv => csv(&shown),
        Form::Json => wire::json_bytes(&Json::Array(shown.iter().map(Shown::json).collect()), headers),
        Form::Xml => {
            let results: String = shown.iter().map(Shown::xml).collect();
            envelope::flat("results", "", &results).into_bytes()
        }
    }
}

/// An outcome in this API's terms.
struct Shown<'o> {
    id: Option<String>,
    created: bool,
    error: Option<&'o str>,
}

impl<'o> Shown<'o> {
    fn of(outcome: &'o Outcome, version: u16) -> Self {
        match outcome {
            Outcome::Done { id, created } => Self {
                id: Some(id.to_string()),
                created: *created,
                error: None,
            },
            Outcome::Failed { id, error } => Self {
                id: id
                    .filter(|_| version >= FAILED_IDS_SINCE)
                    .map(|id| id.to_string()),
                created: false,
                error: Some(error),
            },
        }
    }

    fn json(&self) -> Json {
        let errors: Vec<Json> = self
            .error
            .map(|text| {
                let (code, message, fields) = parts(text);
                json!({"statusCode": code, "message": message, "fields": fields})
            })
            .into_iter()
            .collect();
        json!({"success": self.error.is_none(), "created": self.created, "id": self.id, "errors": errors})
    }

    fn xml(&self) -> String {
        let errors = self.error.map(|text| {
            let (code, message, fields) = parts(text);
            let fields: String = fields
                .iter()
                .map(|name| format!("<fields>{}</fields>", wire::escaped(name)))
                .collect();
            let (code, message) = (wire::escaped(code), wire::escaped(message));
            format!("<errors>{fields}<message>{message}</message><statusCode>{code}</statusCode></errors>")
        });
        let id = self.id.as_ref().map(|id| format!("<id>{id}</id>"));
        format!(
            "<result>{}{}<success>{}</success><created>{}</created></result>",
            errors.unwrap_or_default(),
            id.unwrap_or_default(),
            self.error.is_none(),
            self.created
        )
    }
}

fn csv(shown: &[Shown<'_>]) -> Vec<u8> {
    let mut writer = Dialect::default().writer(Vec::new());
    // A vector takes every byte.
    let _ = writer.write_record(["Id", "Success", "Created", "Error"]);
    for one in shown {
        let id = one.id.as_deref().unwrap_or_default();
        let success = one.error.is_none().to_string();
        let _ = writer.write_record([
            id,
            &success,
            &one.created.to_string(),
            one.error.unwrap_or_default(),
        ]);
    }
    writer.into_inner().unwrap_or_default()
}

/// Code, message and fields of `CODE:message:Field1 Field2 --`.
fn parts(text: &str) -> (&str, &str, Vec<&str>) {
    let (code, rest) = text.split_once(':').unwrap_or(("", text));
    let (message, fields) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let fields = fields.split(' ').filter(|name| *name != "--" && !name.is_empty());
    (code, message, fields.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_taken_apart() {
        assert_eq!(parts("A_B:a: b:X Y --"), ("A_B", "a: b", vec!["X", "Y"]));
        assert_eq!(parts("A:b:--"), ("A", "b", vec![]));
        assert_eq!(parts("A"), ("", "A", vec![]));
    }
}
