//! Why a call was not made although nothing was wrong with it, and which limit a refused call ran into.
//!
//! Both travel as facts of an error, so that they reach the journal, the API and the people who read them.

use serde::{Deserialize, Serialize};

use super::Error;

/// Name of the fact that says why nothing was called.
const HELD: &str = "held";
/// Name of the fact that says which limit was hit.
const LIMIT: &str = "limit";

/// Why a call was held back. Whatever is held uses none of its tries: it did not fail, it was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// The circuit breaker of the connection is open: the CRM did not answer lately.
    Circuit,
    /// The CRM's calls of the day are used up.
    DailyLimit,
    /// Repeats would be too large a share of all work.
    RetryBudget,
    /// A background user has had its share of the calls, and the rest is for live work.
    Share,
}

impl Hold {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Hold::Circuit => "circuit",
            Hold::DailyLimit => "daily_limit",
            Hold::RetryBudget => "retry_budget",
            Hold::Share => "share",
        }
    }

    fn parse(text: &str) -> Option<Hold> {
        [Hold::Circuit, Hold::DailyLimit, Hold::RetryBudget, Hold::Share]
            .into_iter()
            .find(|hold| hold.as_str() == text)
    }
}

/// Which of a CRM's call limits was hit. They want opposite things: the first patience, the second fewer at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// Calls of the day; nothing helps but the window moving on.
    Daily,
    /// Calls at the same time; fewer at once help, and soon.
    Concurrent,
}

impl LimitKind {
    fn as_str(self) -> &'static str {
        match self {
            LimitKind::Daily => "daily",
            LimitKind::Concurrent => "concurrent",
        }
    }
}

impl Error {
    /// Says that nothing was called, and why.
    #[must_use]
    pub fn hold(self, hold: Hold) -> Self {
        self.fact(HELD, hold.as_str())
    }

    /// Why nothing was called, if that is what this error says.
    pub fn held(&self) -> Option<Hold> {
        let held = self.facts.as_ref()?.get(HELD)?.as_str()?;
        Hold::parse(held)
    }

    /// Says that somebody was asked, whatever facts came with the answer: only we hold back our own calls.
    #[must_use]
    pub fn asked(mut self) -> Self {
        if let Some(facts) = &mut self.facts {
            facts.remove(HELD);
            facts.remove(LIMIT);
        }
        self
    }

    /// Says which limit was hit.
    #[must_use]
    pub fn limit(self, kind: LimitKind) -> Self {
        self.fact(LIMIT, kind.as_str())
    }

    /// Which limit was hit, if one was and its kind is known.
    pub fn limit_kind(&self) -> Option<LimitKind> {
        match self.facts.as_ref()?.get(LIMIT)?.as_str()? {
            "daily" => Some(LimitKind::Daily),
            "concurrent" => Some(LimitKind::Concurrent),
            _ => None,
        }
    }
}
