//! The will of the house: it decides what happens next, and remembers it before it happens.
//!
//! A sync is a straight function ([`sync`]) whose every touch of a foreign system is a named step. A step's journal row
//! is at once the memory that a restarted run answers from, the event in the timeline, and the audit line. Retry, crash
//! recovery and replay are one mechanism: the run goes back to the queue, the function starts at its first line, and
//! finished steps answer from the journal.

mod agreement;
mod along;
mod backlog;
mod contest;
mod dead_letters;
mod deleted;
mod doubt;
mod engine;
mod feeds;
mod guard;
mod halt;
mod headroom;
mod keep;
mod ledger;
mod lines;
mod plan;
#[cfg(feature = "planted-bugs")]
mod planted;
mod reconcile;
mod replay;
mod rulings;
mod sides;
mod steps;
mod sync;
mod traced;
mod undo;
mod waiters;
mod why;
mod worker;

pub use dead_letters::{Correction, LetterHistory};
pub use engine::{Engine, EngineSettings, Submission, Submitted};
pub use feeds::{FeedSettings, Follow, LookAgain, Subscription};
pub use guard::Standing;
pub use halt::Halt;
pub use ledger::RunHistory;
pub use plan::{DryRun, PlannedCall};
pub use reconcile::ReconcileSettings;
pub use replay::{ReplaySettings, Start as ReplayStart};
pub use rulings::Ruled;
pub use sides::Sides;
pub use undo::{Undo, UndoItem, Which as UndoWhich};
pub use why::{History, Passage};
