//! The engine over a real store and two systems in memory: what it writes, when it tries again, and what it leaves
//! behind when it dies.

mod bench;
mod circuit;
mod conflicts;
mod crash;
mod crash_everywhere;
mod deletes;
mod doubts;
mod failures;
mod fakes;
mod feed_faults;
mod feeds;
mod fencing;
mod golden;
mod keys;
mod lanes;
mod lines;
mod outcomes;
mod reconcile;
mod renumbered;
mod replays;
mod retries;
mod rulings;
mod scenes;
mod undoing;
mod waiting;
mod why;
mod workflows;
