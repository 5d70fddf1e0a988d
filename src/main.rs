//! `cpq`: keeps a CRM and a CPQ system in agreement, in both directions.

mod app;
mod changes;
mod cli;
mod config;
mod door;
mod fixtures;
mod mapping;
mod matrix;
mod named_file;
mod quote_feed;
mod reconcile_schedule;
mod retention;
mod sides;
mod telemetry;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
