//! Checks of a record before it is stored: what its references, its record type and the org's rules say.

use super::draft::Draft;
use super::{ApiError, Id, Org, Value};
use crate::formula::Frame;
use crate::schema::{Field, Kind};

impl Org {
    /// Validation rules: all of them are looked at, and each that fails says so.
    ///
    /// # Errors
    /// FIELD_CUSTOM_VALIDATION_EXCEPTION, one for each rule (Salesforce Help, Validation Rules).
    pub(super) fn check_validations(&self, draft: &Draft<'_>) -> Result<(), ApiError> {
        let frame = Frame {
            org: self,
            row: &draft.row,
            before: draft.before.as_ref(),
            now: draft.hand.now,
            blanks_as_zero: false,
        };
        let failed = draft
            .object
            .validations
            .iter()
            .filter(|v| v.condition.holds(&frame));
        let mut errors = failed.map(|rule| {
            let fields: Vec<&str> = rule.field.iter().map(String::as_str).collect();
            ApiError::data("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message.clone(), &fields)
        });
        match errors.next() {
            None => Ok(()),
            Some(first) => Err(ApiError {
                also: errors.collect(),
                ..first
            }),
        }
    }

    /// Lookup filters of references that changed.
    ///
    /// # Errors
    /// FIELD_FILTER_VALIDATION_EXCEPTION.
    pub(super) fn check_lookup_filter(
        &self,
        draft: &Draft<'_>,
        field: &Field,
        target: (usize, Id),
    ) -> Result<(), ApiError> {
        let (Some(filter), Some(row)) = (&field.lookup_filter, self.table(target.0).live(target.1)) else {
            return Ok(());
        };
        let frame = Frame {
            org: self,
            row,
            before: None,
            now: draft.hand.now,
            blanks_as_zero: false,
        };
        if filter.condition.holds(&frame) {
            return Ok(());
        }
        let (code, fields) = ("FIELD_FILTER_VALIDATION_EXCEPTION", [field.name.as_str()]);
        Err(ApiError::data(code, filter.message.clone(), &fields))
    }

    /// The record type belongs to the object and is active, and its restricted picklists offer what is chosen.
    ///
    /// # Errors
    /// INVALID_CROSS_REFERENCE_KEY, INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST.
    pub(super) fn check_record_type(&self, draft: &Draft<'_>) -> Result<(), ApiError> {
        let (Some(id), Some(at)) = (
            draft.reference("RecordTypeId"),
            self.schema.position("RecordType"),
        ) else {
            return Ok(());
        };
        let of = self.peek(at, id, "SobjectType");
        let fits = of
            .as_text()
            .is_some_and(|o| o.eq_ignore_ascii_case(&draft.object.name));
        let active = self.peek(at, id, "IsActive").is_true();
        if draft.changed("RecordTypeId") && !(fits && active) {
            let message = format!("Record Type ID: this ID value isn't valid for the user: {id}");
            return Err(ApiError::data(
                "INVALID_CROSS_REFERENCE_KEY",
                message,
                &["RecordTypeId"],
            ));
        }
        let name = self.peek(at, id, "DeveloperName");
        let chosen = draft
            .object
            .record_types
            .iter()
            .find(|t| name.as_text() == Some(t.name.as_str()));
        for (picklist, offered) in chosen.iter().flat_map(|t| &t.picklists) {
            let (Some(field), Some(value)) = (draft.object.field(picklist), draft.get(picklist).as_text())
            else {
                continue;
            };
            let wrong =
                field.restricted && field.kind == Kind::Picklist && !offered.iter().any(|o| o == value);
            if wrong && (draft.changed(picklist) || draft.changed("RecordTypeId")) {
                let message = format!(
                    "{}: bad value for restricted picklist field: {value}",
                    field.label
                );
                let code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST";
                return Err(ApiError::data(code, message, &[&field.name]));
            }
        }
        Ok(())
    }

    /// An owner must be able to log in.
    ///
    /// # Errors
    /// INACTIVE_OWNER_OR_USER.
    pub(super) fn check_owner(&self, draft: &Draft<'_>) -> Result<(), ApiError> {
        if !draft.gave("OwnerId") || !draft.changed("OwnerId") {
            return Ok(());
        }
        let (Some(owner), Some(at)) = (draft.reference("OwnerId"), self.schema.position("User")) else {
            return Ok(());
        };
        if self.peek(at, owner, "IsActive") == Value::Bool(true) {
            return Ok(());
        }
        let message = format!(
            "operation performed with inactive user [{owner}] as owner of {}",
            draft.object.label.to_lowercase()
        );
        Err(ApiError::data("INACTIVE_OWNER_OR_USER", message, &[]))
    }
}
