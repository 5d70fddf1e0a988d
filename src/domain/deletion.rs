//! Records that are gone on one side, and what is done about them. Never is one made again because it is missing: only
//! the answer that was configured, or that a person gave, decides.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::resolve::Base;
use crate::value::Value;
use crate::view::View;

/// What became of a record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is there, and can be read by this id.
    Present,
    /// It is in the CRM's bin.
    Deleted,
    /// It is hidden from our user, gone for good, or never was: the CRM does not tell which.
    Unknown,
}

/// A record whose other half is left alone when it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DeletedRecord))]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    /// The opportunity in the CRM.
    Opportunity,
    /// The quote's own record in the CRM.
    QuoteRecord,
    /// The quote in the CPQ.
    Quote,
}

/// What is done about a record that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DeletionAnswer))]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A person decides; until then the sync waits.
    Ask,
    /// The quote is cancelled, where its state allows it.
    Archive,
    /// The two are no longer kept in agreement; nothing is written.
    Unlink,
    /// The record is made again.
    Recreate,
}

/// The configured answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deletes {
    /// The opportunity was deleted in the CRM.
    pub opportunity: Answer,
    /// The quote's own record was deleted in the CRM.
    pub quote_record: Answer,
    /// The quote is gone from the CPQ.
    pub quote: Answer,
}

impl Default for Deletes {
    fn default() -> Self {
        Deletes {
            opportunity: Answer::Ask,
            quote_record: Answer::Unlink,
            quote: Answer::Ask,
        }
    }
}

impl Deletes {
    /// The configured answer.
    pub fn of(&self, gone: Gone) -> Answer {
        match gone {
            Gone::Opportunity => self.opportunity,
            Gone::QuoteRecord => self.quote_record,
            Gone::Quote => self.quote,
        }
    }

    /// Refuses an answer that its record cannot have.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] with the key and what it may be.
    pub fn check(&self) -> Result<()> {
        for gone in Gone::ALL {
            let given = self.of(gone);
            if given != Answer::Ask && !gone.answers().contains(&given) {
                let name = gone.as_str();
                let [one, other] = gone.answers().map(Answer::as_str);
                let message = format!("deletes.{name} must be \"ask\", \"{one}\" or \"{other}\"");
                return Err(Error::new(Code::ConfigInvalid, message).field(format!("deletes.{name}")));
            }
        }
        Ok(())
    }
}

impl Gone {
    /// All of them.
    pub const ALL: [Gone; 3] = [Gone::Opportunity, Gone::QuoteRecord, Gone::Quote];

    /// What a person can answer.
    pub fn answers(self) -> [Answer; 2] {
        match self {
            Gone::Opportunity => [Answer::Archive, Answer::Unlink],
            Gone::QuoteRecord | Gone::Quote => [Answer::Unlink, Answer::Recreate],
        }
    }

    /// The name in the store, on the wire and in commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Gone::Opportunity => "opportunity",
            Gone::QuoteRecord => "quote_record",
            Gone::Quote => "quote",
        }
    }

    /// The record of that name.
    pub fn parse(name: &str) -> Option<Gone> {
        Gone::ALL.into_iter().find(|gone| gone.as_str() == name)
    }
}

impl Answer {
    /// All of them.
    pub const ALL: [Answer; 4] = [Answer::Ask, Answer::Archive, Answer::Unlink, Answer::Recreate];

    /// The name in the store, on the wire and in commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Ask => "ask",
            Answer::Archive => "archive",
            Answer::Unlink => "unlink",
            Answer::Recreate => "recreate",
        }
    }

    /// The answer of that name.
    pub fn parse(name: &str) -> Option<Answer> {
        Answer::ALL.into_iter().find(|answer| answer.as_str() == name)
    }
}

/// The field that tells whether the quote has a record of its own.
const RECORD_KEY: &str = "quote_record.key";
/// What all fields of that record begin with.
const RECORD: &str = "quote_record.";

/// Whether the quote's own record is gone: it was there when both sides last agreed, and is not any more.
pub fn quote_record_is_gone(base: &Base, crm: &View) -> bool {
    has_quote_record(base) && crm.get(RECORD_KEY).is_some_and(Value::is_null)
}

/// Whether both sides know the quote's own record.
pub fn has_quote_record(base: &Base) -> bool {
    base.crm.get(RECORD_KEY).is_some_and(|key| !key.is_null())
}

/// Whether both sides ever agreed about a quote.
pub fn quote_was(base: &Base) -> bool {
    !base.cpq.fields.is_empty()
}

/// Takes the quote's own record out of what the CRM holds, so that nothing is decided about it.
pub fn without_quote_record(crm: &mut View) {
    crm.fields.retain(|field, _| !field.as_str().starts_with(RECORD));
}

/// Keeps what was agreed about the quote's own record, so that it stays known to have been there.
pub fn keep_quote_record(new: &mut Base, old: &Base) {
    for (new, old) in [(&mut new.crm, &old.crm), (&mut new.cpq, &old.cpq)] {
        let record = old
            .fields
            .iter()
            .filter(|(field, _)| field.as_str().starts_with(RECORD));
        new.fields
            .extend(record.map(|(field, value)| (field.clone(), value.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_makes_no_sense_is_refused_with_those_that_do() {
        Deletes::default().check().expect("the defaults fit");
        for (gone, bad) in [
            (Gone::Opportunity, Answer::Recreate),
            (Gone::QuoteRecord, Answer::Archive),
            (Gone::Quote, Answer::Archive),
        ] {
            let mut deletes = Deletes::default();
            match gone {
                Gone::Opportunity => deletes.opportunity = bad,
                Gone::QuoteRecord => deletes.quote_record = bad,
                Gone::Quote => deletes.quote = bad,
            }
            let error = deletes.check().expect_err("refused");
            assert!(
                error.message.contains(gone.as_str()) && error.message.contains("unlink"),
                "{error}"
            );
        }
    }

    #[test]
    fn names_come_back() {
        for gone in Gone::ALL {
            assert_eq!(Gone::parse(gone.as_str()), Some(gone));
        }
        for answer in Answer::ALL {
            assert_eq!(Answer::parse(answer.as_str()), Some(answer));
        }
    }
}
