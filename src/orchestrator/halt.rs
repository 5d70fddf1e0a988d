//! Why a run stops before its end.

use cpq_domain::error::{Class, Written};
use cpq_domain::{Code, Error};

/// Why a run stops before its end.
#[derive(Debug)]
pub enum Halt {
    /// It failed in a way that passes with time: park it and try again.
    Retry(Error),
    /// It was not tried at all, because the connection is held: park it without using a try.
    Hold(Error),
    /// Somebody changed a record under it: what was read no longer counts; start over at once.
    Restart(Error),
    /// Only a person can help, e.g. by logging in again: wait, and lose nothing.
    Wait(Error),
    /// Trying again gives the same answer: put it aside with its diagnosis.
    Dead(Error),
    /// The lease is gone: another worker has the run, this one must not write another word of its history.
    LeaseLost,
    /// The opportunity goes by another name, in whose lane another sync is at work: the run is in the queue again, behind it.
    LinedUp,
}

impl Halt {
    /// Whether nobody will read this attempt's journal again to go on from there.
    pub(crate) fn forgets(&self) -> bool {
        matches!(self, Halt::Restart(_) | Halt::Dead(_))
    }

    /// Whether what failed may have changed a foreign system.
    pub(crate) fn may_have_written(&self) -> bool {
        match self {
            Halt::Retry(error)
            | Halt::Hold(error)
            | Halt::Restart(error)
            | Halt::Wait(error)
            | Halt::Dead(error) => error.written != Written::No,
            Halt::LeaseLost | Halt::LinedUp => false,
        }
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        if error.held().is_some() {
            return Halt::Hold(error);
        }
        match error.class() {
            Class::Conflict | Class::Duplicate if error.code != Code::CrmAmbiguous => Halt::Restart(error),
            Class::AuthExpired
            | Class::Conflict
            | Class::Locked
            | Class::RateLimited
            | Class::Unavailable => Halt::Retry(error),
            Class::UnknownOutcome => Halt::Retry(error),
            Class::AuthRevoked => Halt::Wait(error),
            Class::Forbidden | Class::NotFound | Class::Merged | Class::Validation | Class::Duplicate => {
                Halt::Dead(error)
            }
            Class::CursorExpired | Class::SchemaDrift | Class::Unsupported | Class::Protocol => {
                Halt::Dead(error)
            }
        }
    }
}
