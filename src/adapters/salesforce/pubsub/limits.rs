//! The limits of this feed, each with its reason.

use std::time::Duration;

/// Events asked for and not come yet: Salesforce takes more for this many.
pub(super) const OUTSTANDING: usize = 100;
/// More are asked for as soon as no more than this many are on their way, so that the sender never has to wait.
pub(super) const TOP_UP: usize = 50;
/// Events of a topic that wait to be read; no more are asked for meanwhile.
pub(super) const QUEUED: usize = 1_000;
/// Bytes of a topic that wait to be read; no more events are asked for meanwhile.
pub(super) const QUEUED_BYTES: usize = 32 << 20;
/// Answers of a topic that wait to be read, signs of life included. An answer has an event or comes after a minute, so
/// that beyond this nobody has read for hours.
pub(super) const ANSWERS: usize = 2 * QUEUED;
/// A stream that is owed nothing is ended by Salesforce after 70 s (older texts: 60 s). When there is no room, one
/// event is asked for so often, to hold the line; more often where a shorter silence counts as death, because who owes
/// nothing gives no sign of life.
pub(super) const HOLD: Duration = Duration::from_secs(40);
/// Default silence after which a stream counts as dead. Salesforce gives a sign of life within 270 s.
pub(super) const SILENCE: Duration = Duration::from_secs(300);
/// Largest answer that is read. Salesforce sends 3 MB at most.
pub(super) const ANSWER_BYTES: usize = 16 << 20;
/// Largest event that is read. Salesforce stores none above 1 MB.
pub(super) const EVENT_BYTES: usize = 2 << 20;
/// Schemas that are kept: more than objects times their last few changes.
pub(super) const SCHEMAS: usize = 256;
/// Topics of one connection: each is a stream, and the org's allowance of clients is shared with others.
pub(super) const TOPICS: usize = 20;
/// Records of an object whose opportunities are looked up for one delivery. A merged event can name many; above it the
/// query would not fit a call.
pub(super) const LOOKUP_IDS: usize = 500;
/// Opportunities that one delivery may concern by way of an account or a contact: one page of a query. An account with
/// more open or quoted ones is left to the sweep.
pub(super) const LOOKUP_ROWS: usize = 2_000;
/// What a sweep begins earlier than the moment that is known: events are told after their commit, and records carry
/// the moment of the write, which in a long transaction is up to 10 minutes before the commit.
pub(super) const MARGIN: Duration = Duration::from_secs(15 * 60);
