//! `cpq`: keeps a CRM and a CPQ system in agreement, in both directions.

mod app;
mod changes;
mod cli;
mod config;
mod fixtures;
mod matrix;
mod quote_feed;
mod sides;
mod telemetry;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
