//! The engine over a real store and two systems in memory: what it writes, when it tries again, and what it leaves
//! behind when it dies.

mod bench;
mod crash;
mod fakes;
mod golden;
mod keys;
mod lanes;
mod outcomes;
mod scenes;
mod waiting;
